package ordeal

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Front stands before a fake and gives each request its fate; when none is
// left, all is fine.
type Front struct {
	*httptest.Server

	behind string
	client *http.Client

	spare func(*http.Request) bool

	mu    sync.Mutex
	fates []Fate
	met   []Fate
	kill  func()
}

// NewFront gives a front, and the base URL through it for one at the fake. The
// requests that spare names have no fate of their own, and are fine.
func NewFront(t *testing.T, base string, spare func(*http.Request) bool) (*Front, string) {
	t.Helper()
	parsed, err := url.Parse(base)
	require.NoError(t, err)
	made := &Front{behind: parsed.Scheme + "://" + parsed.Host, client: &http.Client{Transport: &http.Transport{}}, spare: spare}
	made.Server = httptest.NewServer(made)
	t.Cleanup(func() {
		made.Close()
		made.client.CloseIdleConnections()
	})
	return made, made.URL + parsed.Path
}

// Expect sets the fates to come, and forgets those that were met.
func (f *Front) Expect(fates []Fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fates, f.met = fates, nil
}

// Killing sets what kills the worker that is at work now.
func (f *Front) Killing(kill func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kill = kill
}

// Seen are the fates that were met.
func (f *Front) Seen() []Fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.met
}

func (f *Front) next() (Fate, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	drawn := FateFine
	if len(f.fates) > 0 {
		drawn, f.fates = f.fates[0], f.fates[1:]
	}
	f.met = append(f.met, drawn)
	return drawn, f.kill
}

// ServeHTTP implements [http.Handler].
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Only when the body is read does the server notice that a client left.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	drawn, kill := FateFine, func() {}
	if f.spare == nil || !f.spare(r) {
		drawn, kill = f.next()
	}
	answer := httptest.NewRecorder()
	if drawn.Reaches() {
		f.forward(answer, r, body)
	}
	switch drawn {
	case FateFine:
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	case FateCutBefore, FateCutAfter:
		panic(http.ErrAbortHandler)
	case Fate503Before, Fate503After:
		w.WriteHeader(http.StatusServiceUnavailable)
	case FateLimited:
		w.WriteHeader(http.StatusTooManyRequests)
	case FateKillBefore, FateKillAfter:
		kill()
		<-r.Context().Done()
	}
}

func (f *Front) forward(w http.ResponseWriter, r *http.Request, body []byte) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, f.behind+r.URL.RequestURI(), bytes.NewReader(body)) //nolint:gosec // to the fake that it stands before
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	request.Header = r.Header.Clone()
	response, err := f.client.Do(request) //nolint:gosec // to the fake that it stands before
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	defer func() { _ = response.Body.Close() }()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}
