package natsd

import (
	"fmt"
	"log/slog"
	"sync"
)

// journal passes the server's log lines on. The server's traces, which could
// show what a client sends, are never turned on.
type journal struct {
	logger *slog.Logger

	mu      sync.Mutex // guards what follows
	serving bool       // the start is over
	fatal   string     // the first fatal line before that: why the server cannot start
}

// Noticef implements server.Logger. To the server's operator a start is worth a
// notice; within Feira it is a detail.
func (j *journal) Noticef(format string, args ...any) { j.Debugf(format, args...) }

// Warnf implements server.Logger.
func (j *journal) Warnf(format string, args ...any) {
	j.logger.Warn("nats server", slog.String("line", fmt.Sprintf(format, args...)))
}

// Errorf implements server.Logger. What the server calls an error is often a
// client's, and never one that Feira does not meet itself; hence a warning.
func (j *journal) Errorf(format string, args ...any) { j.Warnf(format, args...) }

// Debugf implements server.Logger.
func (j *journal) Debugf(format string, args ...any) {
	j.logger.Debug("nats server", slog.String("line", fmt.Sprintf(format, args...)))
}

// Tracef implements server.Logger.
func (*journal) Tracef(string, ...any) {}

// Fatalf implements server.Logger. The line is kept, to become the error of
// the start that it ended. A process is never ended from here.
func (j *journal) Fatalf(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.serving:
		j.logger.Error("nats server", slog.String("line", line))
	case j.fatal == "":
		j.fatal = line
	}
}

// started ends the time in which a fatal line ends the start.
func (j *journal) started() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.serving = true
}

func (j *journal) fault() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fatal
}
