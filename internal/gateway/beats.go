package gateway

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"time"
)

// beats writes what the MCP SDK answers. A stream passes as it comes, with
// heartbeats while a call waits; anything else is kept to its end, so that a
// refusal in plain text can be told as every other endpoint tells one. It is safe
// for concurrent use.
type beats struct {
	http.ResponseWriter

	mu     sync.Mutex
	rest   time.Duration
	timer  *time.Timer
	begun  bool // the stream's header has left
	over   bool
	status int
	kept   bytes.Buffer
}

func newBeats(w http.ResponseWriter, heartbeat time.Duration) *beats {
	return &beats{ResponseWriter: w, rest: heartbeat, status: http.StatusOK}
}

// Unwrap is for [http.ResponseController].
func (b *beats) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (b *beats) WriteHeader(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.begun {
		b.status = status
	}
}

// Write implements [http.ResponseWriter].
func (b *beats) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.streams() {
		return b.kept.Write(text)
	}
	b.begin()
	if b.timer != nil {
		b.timer.Reset(b.rest)
	}
	return b.ResponseWriter.Write(text)
}

// FlushError is for [http.ResponseController].
func (b *beats) FlushError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.begun {
		return nil
	}
	return http.NewResponseController(b.ResponseWriter).Flush()
}

// start sends heartbeats from now on, once the SDK has begun its answer.
func (b *beats) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil && !b.over {
		b.timer = time.AfterFunc(b.rest, b.beat)
	}
}

func (b *beats) beat() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || !b.streams() {
		return
	}
	b.begin()
	if _, err := b.ResponseWriter.Write([]byte(": heartbeat\n\n")); err == nil {
		_ = http.NewResponseController(b.ResponseWriter).Flush() // a client that left is found by the next write
	}
	b.timer.Reset(b.rest)
}

// streams reports whether the answer is a stream. The caller holds the lock.
func (b *beats) streams() bool {
	return b.begun || b.status == http.StatusOK && strings.HasPrefix(b.Header().Get("Content-Type"), "text/event-stream")
}

// begin lets the header leave. The caller holds the lock.
func (b *beats) begin() {
	if b.begun {
		return
	}
	b.begun = true
	header := b.Header()
	header.Del("Connection")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // or nginx keeps the frames back
	b.ResponseWriter.WriteHeader(http.StatusOK)
}

// finish lets go what was kept. refuse tells a refusal that is no JSON.
func (b *beats) finish(refuse func(status int, text string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	if b.timer != nil {
		b.timer.Stop()
	}
	if b.begun {
		return
	}
	header := b.Header()
	header.Del("Connection")
	header.Set("Cache-Control", "no-store")
	if b.status >= http.StatusBadRequest && !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		header.Del("Content-Length")
		refuse(b.status, b.kept.String())
		return
	}
	if b.kept.Len() == 0 && b.status == http.StatusOK {
		header.Del("Content-Type") // the client left before there was an answer
	}
	b.ResponseWriter.WriteHeader(b.status)
	_, _ = b.ResponseWriter.Write(b.kept.Bytes()) // a client that left is nobody's loss
}
