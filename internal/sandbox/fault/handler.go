package fault

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxBody bounds what a request may send; no provider takes more.
const maxBody = 16 << 20

// Target is a server that can be made to fail.
type Target struct {
	// Server is its name in [Fault.Server].
	Server string
	// Refuse writes an error in the server's own words.
	Refuse func(w http.ResponseWriter, r *http.Request, status int)
	// Stopping is closed when hanging requests must end.
	Stopping <-chan struct{}
}

// Handler serves next, unless a fault strikes.
func (s *Set) Handler(target Target, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Only when the body has been read to its end does net/http notice
		// that a client left, and a hanging request waits for just that.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			target.Refuse(w, r, http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		delays, hit := s.strike(target.Server, r)
		if !target.delay(w, r, delays, false) {
			return
		}
		late := slices.ContainsFunc(delays, func(f Fault) bool { return f.AfterEffect })
		if hit == nil && !late {
			next.ServeHTTP(w, r)
			return
		}
		target.serve(w, r, next, struck{delays: delays, hit: hit})
	})
}

type struck struct {
	delays []Fault
	hit    *Fault
}

// serve answers a request that is struck.
func (t Target) serve(w http.ResponseWriter, r *http.Request, next http.Handler, by struck) {
	if by.hit != nil && !by.hit.AfterEffect {
		t.spoil(w, r, *by.hit)
		return
	}
	held := &recorder{header: http.Header{}}
	next.ServeHTTP(held, r)
	if !t.delay(w, r, by.delays, true) {
		return
	}
	if by.hit != nil {
		t.spoil(w, r, *by.hit)
		return
	}
	held.copyTo(w)
}

func (t Target) spoil(w http.ResponseWriter, r *http.Request, fault Fault) {
	switch fault.Kind {
	case KindStatus:
		if fault.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((fault.RetryAfter+time.Second-1)/time.Second)))
		}
		t.Refuse(w, r, fault.Status)
	case KindGarbage:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, fault.Body)
	case KindHang:
		t.wait(r, nil)
		Cut(w)
	case KindCut:
		Cut(w)
	case KindDelay: // A delay spoils nothing.
	}
}

// delay waits out the delays of one side of the effect; false when the client
// left or the sandbox stops.
func (t Target) delay(w http.ResponseWriter, r *http.Request, delays []Fault, after bool) bool {
	for _, fault := range delays {
		if fault.AfterEffect != after {
			continue
		}
		timer := time.NewTimer(fault.Delay)
		passed := t.wait(r, timer.C)
		timer.Stop()
		if !passed {
			Cut(w)
			return false
		}
	}
	return true
}

// wait reports whether tick came before the client left or the sandbox stopped.
func (t Target) wait(r *http.Request, tick <-chan time.Time) bool {
	select {
	case <-tick:
		return true
	case <-r.Context().Done():
	case <-t.Stopping:
	}
	return false
}

// Cut closes the connection under an answer, whatever has been sent of it.
func Cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// recorder holds an answer back until it is known what becomes of it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(data []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(data)
}

func (r *recorder) copyTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	if r.status != 0 {
		w.WriteHeader(r.status)
	}
	_, _ = w.Write(r.body.Bytes())
}
