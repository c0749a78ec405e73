package mcp

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// trial is what became of one request on the wire, which the SDK's errors tell
// by their texts alone. Its methods may be called by any goroutine.
type trial struct {
	// abort ends the request whose trial it is.
	abort context.CancelFunc

	mu      sync.Mutex
	taken   bool // the request has been seen
	reached bool // the server may have received it
	broken  error
	code    int
	head    http.Header
	large   bool
}

type trialKey struct{}

func withTrial(ctx context.Context, watched *trial) context.Context {
	return context.WithValue(ctx, trialKey{}, watched)
}

// trialOf is the trial that a request belongs to. Only the first POST of a
// context is the call itself: what follows it says that it is cancelled.
func trialOf(request *http.Request) (watched *trial, first bool) {
	watched, ok := request.Context().Value(trialKey{}).(*trial)
	if !ok {
		return nil, false
	}
	if request.Method != http.MethodPost {
		return watched, false
	}
	watched.mu.Lock()
	defer watched.mu.Unlock()
	first = !watched.taken
	watched.taken = true
	return watched, first
}

// traced notes when a connection is there for the request.
func (t *trial) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.reached = true
	}})
}

func (t *trial) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.broken = err
}

func (t *trial) answered(response *http.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.code, t.head = response.StatusCode, response.Header
}

// overflowed notes that the answer is too long, and ends the wait for it.
func (t *trial) overflowed() {
	t.mu.Lock()
	t.large = true
	t.mu.Unlock()
	t.abort()
}

// outcome is a trial that has ended.
type outcome struct {
	sent     bool
	err      error // of the wire; nil when there was an answer
	status   int   // 0 when there was no answer
	header   http.Header
	tooLarge bool
}

func (t *trial) outcome() outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	return outcome{sent: t.reached, err: t.broken, status: t.code, header: t.head, tooLarge: t.large}
}
