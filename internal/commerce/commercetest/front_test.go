package commercetest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fate is what becomes of one request on its way to a fake and back.
type fate string

const (
	fateFine      fate = "fine"
	fateCutBefore fate = "cut before"
	fateCutAfter  fate = "cut after"
	fate503Before fate = "503 before"
	fate503After  fate = "503 after"
	fateLimited   fate = "429"
	// The worker that sent it is killed, before or after the effect.
	fateKillBefore fate = "kill before"
	fateKillAfter  fate = "kill after"
)

func fates() []fate {
	return []fate{fateFine, fateCutBefore, fateCutAfter, fate503Before, fate503After, fateLimited, fateKillBefore, fateKillAfter}
}

// reaches reports whether the request comes to the fake, and so has its effect.
func (f fate) reaches() bool {
	return f == fateFine || f == fateCutAfter || f == fate503After || f == fateKillAfter
}

// leavesDoubt reports whether the caller cannot know what became of it.
func (f fate) leavesDoubt() bool { return f != fateFine && f != fateLimited }

// front stands before a fake and gives each request its fate; when none is
// left, all is fine.
type front struct {
	*httptest.Server

	behind string
	client *http.Client

	mu    sync.Mutex
	fates []fate
	met   []fate
	kill  func()
}

// newFront gives a front, and the base URL through it for one at the fake.
func newFront(t *testing.T, base string) (*front, string) {
	t.Helper()
	parsed, err := url.Parse(base)
	require.NoError(t, err)
	made := &front{behind: parsed.Scheme + "://" + parsed.Host, client: &http.Client{Transport: &http.Transport{}}}
	made.Server = httptest.NewServer(made)
	t.Cleanup(func() {
		made.Close()
		made.client.CloseIdleConnections()
	})
	return made, made.URL + parsed.Path
}

// expect sets the fates to come, and forgets those that were met.
func (f *front) expect(fates []fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fates, f.met = fates, nil
}

// killing sets what kills the worker that is at work now.
func (f *front) killing(kill func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kill = kill
}

func (f *front) seen() []fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.met
}

func (f *front) next() (fate, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	drawn := fateFine
	if len(f.fates) > 0 {
		drawn, f.fates = f.fates[0], f.fates[1:]
	}
	f.met = append(f.met, drawn)
	return drawn, f.kill
}

// ServeHTTP implements [http.Handler].
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Only when the body is read does the server notice that a client left.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	drawn, kill := fateFine, func() {}
	// The exchange of a token is not of a call: several may wait for one.
	if !strings.HasSuffix(r.URL.Path, "/oauth/token") && !strings.Contains(r.URL.Path, "/token/v1/") {
		drawn, kill = f.next()
	}
	answer := httptest.NewRecorder()
	if drawn.reaches() {
		f.forward(answer, r, body)
	}
	switch drawn {
	case fateFine:
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	case fateCutBefore, fateCutAfter:
		panic(http.ErrAbortHandler)
	case fate503Before, fate503After:
		w.WriteHeader(http.StatusServiceUnavailable)
	case fateLimited:
		w.WriteHeader(http.StatusTooManyRequests)
	case fateKillBefore, fateKillAfter:
		kill()
		<-r.Context().Done()
	}
}

func (f *front) forward(w http.ResponseWriter, r *http.Request, body []byte) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, f.behind+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	request.Header = r.Header.Clone()
	response, err := f.client.Do(request)
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	defer func() { _ = response.Body.Close() }()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}
