package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// mirror stands before the providers' fakes and the model. It passes requests
// on, or answers with all that it was sent; it keeps what the model is told and
// says.
type mirror struct {
	*httptest.Server

	behind string
	client *http.Client
	model  *os.File

	mu     sync.Mutex
	modes  map[string]mode // by server
	heard  bytes.Buffer    // every request, as it came
	tokens map[string]bool // that requests carried
}

// mode is how a server shows what it was sent.
type mode struct {
	name string
	// tokens spoils the exchange of tokens as well.
	tokens bool
	answer func(w http.ResponseWriter, sent echo)
}

// echo is a request in the ways in which a careless server repeats it.
type echo struct {
	text    string   // all of it
	headers []string // "Name: value"
	secrets []string // values of headers, and the path
}

func newMirror(t *testing.T, behind, transcript string) *mirror {
	t.Helper()
	parsed, err := url.Parse(behind)
	require.NoError(t, err)
	file, err := os.Create(transcript)
	require.NoError(t, err)
	m := &mirror{
		behind: parsed.Scheme + "://" + parsed.Host, client: &http.Client{Transport: &http.Transport{}}, model: file,
		modes: map[string]mode{}, tokens: map[string]bool{},
	}
	m.Server = httptest.NewServer(m)
	t.Cleanup(func() {
		m.Close()
		m.client.CloseIdleConnections()
		_ = file.Close()
	})
	return m
}

// through is an address of behind, by way of the mirror.
func (m *mirror) through(address string) string { return strings.Replace(address, m.behind, m.URL, 1) }

func (m *mirror) set(server string, to mode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.modes[server] = to
}

func (m *mirror) clear(server string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.modes, server)
}

// everything is all that was heard.
func (m *mirror) everything() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard.String()
}

// bearers are the tokens that requests carried, as secrets.
func (m *mirror) bearers() []Secret {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets := make([]Secret, 0, len(m.tokens))
	for _, token := range slices.Sorted(maps.Keys(m.tokens)) {
		secrets = append(secrets, Secret{Name: fmt.Sprintf("token %d", len(secrets)), Value: token})
	}
	return secrets
}

// ServeHTTP implements [http.Handler].
func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	server, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	now, spoilt := m.hear(server, r, body)
	if spoilt && (now.tokens || !isTokenPath(r.URL.Path)) {
		now.answer(w, echoOf(r, body))
		return
	}
	answer := m.forward(w, r, body)
	if server == "model" {
		m.mu.Lock()
		defer m.mu.Unlock()
		_, _ = fmt.Fprintf(m.model, "%s\n%s\n", body, answer)
	}
}

func isTokenPath(path string) bool {
	return strings.HasSuffix(path, "/oauth/token") || strings.Contains(path, "/token/v1/autentica/")
}

func (m *mirror) hear(server string, r *http.Request, body []byte) (mode, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = fmt.Fprintf(&m.heard, "%s %s\n%v\n%s\n", r.Method, r.RequestURI, r.Header, body)
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		m.tokens[token] = true
	}
	now, spoilt := m.modes[server]
	return now, spoilt
}

func (m *mirror) forward(w http.ResponseWriter, r *http.Request, body []byte) []byte {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, m.behind+r.RequestURI, bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return nil
	}
	request.Header = r.Header.Clone()
	response, err := m.client.Do(request)
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	maps.Copy(w.Header(), response.Header)
	w.Header().Del("Content-Length")
	w.WriteHeader(response.StatusCode)
	answer, _ := io.ReadAll(response.Body)
	_, _ = w.Write(answer)
	return answer
}

func echoOf(r *http.Request, body []byte) echo {
	made := echo{secrets: []string{r.URL.Path, r.RequestURI}}
	for name, values := range r.Header {
		made.headers = append(made.headers, name+": "+strings.Join(values, ","))
		for _, value := range values {
			_, bare, _ := strings.Cut(value, " ")
			made.secrets = append(made.secrets, value, bare)
		}
	}
	made.text = r.Method + " " + r.RequestURI + " " + r.URL.Path + " " + strings.Join(made.headers, " ") + " " + string(body)
	return made
}

// document repeats a request in JSON: in values, in names, in base64 of the
// whole and of parts.
func (e echo) document() string {
	names := map[string]any{}
	for _, secret := range e.secrets {
		names[secret] = base64.StdEncoding.EncodeToString([]byte(secret))
	}
	data, _ := json.Marshal(map[string]any{
		"message": e.text, "error": map[string]any{"message": e.text, "code": e.text}, "errors": []any{map[string]any{"description": e.text, "code": e.text}},
		"msgs": []any{e.text}, "names": names, "headers": e.headers, "raw": base64.RawURLEncoding.EncodeToString([]byte("x" + e.text)),
		"form": url.QueryEscape(e.text), "hex": fmt.Sprintf("%x", e.text),
	})
	return strings.ReplaceAll(string(data), "/", `\/`)
}

// modes are the ways of careless servers.
func modes() []mode {
	status := func(code int) func(http.ResponseWriter, echo) {
		return func(w http.ResponseWriter, sent echo) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, sent.document())
		}
	}
	return []mode{
		{name: "401", answer: status(http.StatusUnauthorized)},
		{name: "401, for the token too", tokens: true, answer: status(http.StatusUnauthorized)},
		{name: "400", answer: status(http.StatusBadRequest)},
		{name: "200", answer: status(http.StatusOK)},
		{name: "500 with its headers", answer: func(w http.ResponseWriter, sent echo) {
			for i, secret := range sent.secrets {
				w.Header().Set(fmt.Sprintf("X-Echo-%d", i), secret)
			}
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "<pre>"+html.EscapeString(sent.text)+"</pre>"+sent.text)
		}},
		{name: "malformed", answer: func(w http.ResponseWriter, sent echo) {
			_, _ = io.WriteString(w, sent.document()[:len(sent.document())-1]+sent.text)
		}},
		{name: "redirect", answer: func(w http.ResponseWriter, sent echo) {
			w.Header().Set("Location", "https://elsewhere.example/?sent="+url.QueryEscape(strings.Join(sent.secrets, " ")))
			w.WriteHeader(http.StatusFound)
		}},
		{name: "429 with a wait that is none", answer: func(w http.ResponseWriter, sent echo) {
			w.Header().Set("Retry-After", strings.Join(sent.secrets, " "))
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, sent.document())
		}},
		{name: "half an answer", answer: func(w http.ResponseWriter, sent echo) {
			w.Header().Set("Content-Length", "1000000")
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, sent.document())
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}},
	}
}
