package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/webhook"
)

// told is a webhook as a receiver got it.
type told struct {
	header http.Header
	secret string // behind the last slash
	body   []byte
	status int // what it was answered
}

// receiver is somebody who is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(n int, body []byte) int
	got    []told
	came   chan struct{}
}

// newReceiver answers with what answer says of the nth that came; 200 without it.
func newReceiver(t *testing.T, answer func(n int, body []byte) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer, came: make(chan struct{}, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(len(r.got), body)
	}
	_, secret, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	r.got = append(r.got, told{header: request.Header, secret: secret, body: body, status: status})
	w.WriteHeader(status)
	r.came <- struct{}{}
}

// await waits until n webhooks came in all, and returns all that did.
func (r *receiver) await(t *testing.T, n int) []told {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		got := append([]told(nil), r.got...)
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-r.came:
		case <-timeout:
			require.FailNow(t, "too few webhooks", "%d of %d", len(got), n)
		}
	}
}

// read verifies webhooks with what their receiver knows, and reads them.
func read(t *testing.T, server, key string, now time.Time, got []told) []webhook.Event {
	t.Helper()
	var all []webhook.Event
	lock := webhook.Lock{Scheme: webhook.SchemeOf(server), Keys: []webhook.Key{{Text: key}}}
	for _, one := range got {
		proof, err := webhook.Verify(lock, webhook.Delivery{Header: one.header.Get, Path: one.secret, Body: one.body}, now)
		require.NoError(t, err, server)
		event, err := webhook.Read(server, proof.ID, one.body)
		require.NoError(t, err)
		all = append(all, event)
	}
	return all
}

// kinds are the providers' names of what events tell.
func kinds(events []webhook.Event) []string {
	names := make([]string, len(events))
	for i, event := range events {
		names[i] = event.Kind
		if event.Kind == "MessageStatusCallback" {
			names[i] += " " + event.Status
		}
	}
	return names
}

// lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
