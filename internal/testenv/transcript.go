package testenv

import (
	"bytes"
	"io"
	"sync"
)

// transcript keeps what a child writes, and wakes those who wait for more.
type transcript struct {
	mu      sync.Mutex // guards what follows
	all     bytes.Buffer
	streams map[string]*bytes.Buffer
	more    chan struct{} // closed at the next write, then replaced
}

func newTranscript() *transcript {
	return &transcript{streams: map[string]*bytes.Buffer{}, more: make(chan struct{})}
}

// stream returns a writer whose text is kept apart as well as in the whole.
func (t *transcript) stream(name string) io.Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams[name] = &bytes.Buffer{}
	return writerFunc(func(p []byte) (int, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.all.Write(p)
		t.streams[name].Write(p)
		close(t.more)
		t.more = make(chan struct{})
		return len(p), nil
	})
}

// read returns the text so far, and a channel that closes when there is more.
func (t *transcript) read() (string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.String(), t.more
}

// text is what one stream has said.
func (t *transcript) text(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.streams[name].String()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
