package sandbox

import (
	"bytes"
	"io"
	"net/http"
)

// Exchange is a request as a provider got it, and what it answered.
type Exchange struct {
	Server string
	Method string
	// Path is escaped as it came, without the server's own place in the sandbox.
	Path   string
	Query  string
	Header http.Header
	Body   []byte
	Status int
	Answer []byte
}

// observed tells [Config.Observe] of what next is asked and answers.
func (s *Sandbox) observed(server string, next http.Handler) http.Handler {
	if s.config.Observe == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // The faults have read it to its end before.
			http.Error(w, "unreadable body", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		copied := &copier{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(copied, r)
		s.config.Observe(Exchange{
			Server: server, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: body,
			Status: copied.status, Answer: copied.body.Bytes(),
		})
	})
}

// copier keeps a copy of an answer on its way.
type copier struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

// WriteHeader implements [http.ResponseWriter].
func (c *copier) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (c *copier) Write(data []byte) (int, error) {
	c.body.Write(data)
	return c.ResponseWriter.Write(data)
}
