package gateway

import (
	"fmt"
	"net/http"
	"time"
)

// pieceSize is how much of an answer a client has to take in within its time: so
// a long answer may take long, and a client that takes nothing has not.
const pieceSize = 64 << 10

// paced is a writer whose client must keep up. Nothing else bounds the time of an
// answer, since a wait for one is long: without it a client that asks and does
// not read holds a goroutine, a connection and what is buffered for ever.
type paced struct {
	http.ResponseWriter

	clock *http.ResponseController
	time  time.Duration
}

// pace makes the writer of an exchange. What the exchange before left as a
// deadline on the same connection is lifted: it may have passed.
func pace(w http.ResponseWriter, within time.Duration) *paced {
	p := &paced{ResponseWriter: w, clock: http.NewResponseController(w), time: within}
	_ = p.clock.SetWriteDeadline(time.Time{}) // a writer without deadlines is a test's
	return p
}

// Unwrap lets [http.ResponseController] find the rest of what a writer can.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// WriteHeader implements [http.ResponseWriter]. An answer without a body is
// written after its handler, so the time begins here.
func (p *paced) WriteHeader(status int) {
	p.begin()
	p.ResponseWriter.WriteHeader(status)
}

// Write implements [io.Writer], piece by piece. The deadline stays: the end of
// the answer is written when the handler has returned.
func (p *paced) Write(text []byte) (int, error) {
	written := 0
	for {
		p.begin()
		piece := text[written:min(len(text), written+pieceSize)]
		n, err := p.ResponseWriter.Write(piece)
		written += n
		if err != nil {
			return written, fmt.Errorf("writing the answer: %w", err)
		}
		if written == len(text) {
			return written, nil
		}
	}
}

// Flush implements [http.Flusher], for handlers that look for it by type.
func (p *paced) Flush() { _ = p.FlushError() }

// FlushError sends what is buffered, within the client's time.
func (p *paced) FlushError() error {
	p.begin()
	if err := p.clock.Flush(); err != nil {
		return fmt.Errorf("flushing the answer: %w", err)
	}
	return nil
}

func (p *paced) begin() { _ = p.clock.SetWriteDeadline(time.Now().Add(p.time)) }
