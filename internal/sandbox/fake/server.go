package fake

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Dialect is what sets one provider apart from the next.
type Dialect[S any] struct {
	// Server is the provider's name.
	Server string
	// Fields are what a credential consists of.
	Fields []string
	// Key makes of a credential the text by which Identify knows it again.
	Key func(fields map[string]string) string
	// State makes the state of a new account.
	State func() *S
	// Identify reads from a request the key of its account, or refuses.
	Identify func(r *http.Request) (key string, refusal *Answer)
	// Unknown answers a request whose key is nobody's.
	Unknown func(r *http.Request) Answer
	// Refuse words an error that the provider gives for reasons of its own:
	// rate limits, outages, paths that it does not know.
	Refuse func(r *http.Request, status int) Answer
	// Subscribe sets where an account's webhooks go; nil where the provider sends none.
	Subscribe func(c *Call[S], hook Hook)
	// Around, when not nil, is called instead of a route's handler, which it
	// may call or not.
	Around func(c *Call[S], handler Handler[S]) Answer
}

// Server is a fake. It is safe for concurrent use once its routes are added.
type Server[S any] struct {
	dialect Dialect[S]
	world   World
	mux     *http.ServeMux
	acts    *http.ServeMux

	mu       sync.RWMutex
	accounts map[string]*Account[S] // by key
}

// NewServer returns a fake without accounts and routes.
func NewServer[S any](world World, dialect Dialect[S]) *Server[S] {
	s := &Server[S]{dialect: dialect, world: world, mux: http.NewServeMux(), acts: http.NewServeMux(), accounts: map[string]*Account[S]{}}
	s.Handle("/", func(c *Call[S]) Answer { return dialect.Refuse(c.Request, http.StatusNotFound) })
	return s
}

// Open adds an account.
func (s *Server[S]) Open(tenant string, fields map[string]string) error {
	for _, field := range s.dialect.Fields {
		if fields[field] == "" {
			return fmt.Errorf("%w: %s of %s: field %s is empty", ErrCredential, s.dialect.Server, tenant, field)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.dialect.Key(fields)
	if other, taken := s.accounts[key]; taken {
		return fmt.Errorf("%w: %s of %s is that of %s", ErrCredential, s.dialect.Server, tenant, other.Tenant)
	}
	s.accounts[key] = &Account[S]{
		Tenant: tenant, Fields: maps.Clone(fields), state: s.dialect.State(), counters: map[string]int{},
	}
	return nil
}

// Knows returns the fields of the account that a key names.
func (s *Server[S]) Knows(key string) (map[string]string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	account, ok := s.accounts[key]
	if !ok {
		return nil, false
	}
	return account.Fields, true
}

// Opened is an account as others may see it.
type Opened struct {
	Key, Tenant string
	Fields      map[string]string
}

// All returns the accounts, sorted by tenant.
func (s *Server[S]) All() []Opened {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]Opened, 0, len(s.accounts))
	for key, account := range s.accounts {
		all = append(all, Opened{Key: key, Tenant: account.Tenant, Fields: account.Fields})
	}
	slices.SortFunc(all, func(a, b Opened) int { return strings.Compare(a.Tenant, b.Tenant) })
	return all
}

// HandleFunc adds a route that asks for no account and writes its own answer,
// such as a page.
func (s *Server[S]) HandleFunc(pattern string, handler http.HandlerFunc) {
	s.mux.HandleFunc(pattern, handler)
}

// Handle adds a route, in the form of [http.ServeMux].
func (s *Server[S]) Handle(pattern string, handler Handler[S]) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.serve(r, handler).Write(w)
	})
}

// HandleOpen adds a route that asks for no account, such as one that gives out tokens.
func (s *Server[S]) HandleOpen(pattern string, handler func(r *http.Request, body []byte) Answer) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.dialect.Refuse(r, http.StatusBadRequest).Write(w)
			return
		}
		handler(r, body).Write(w)
	})
}

// ServeHTTP implements [http.Handler].
func (s *Server[S]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "//") { // The mux would redirect, as no provider does.
		s.dialect.Refuse(r, http.StatusNotFound).Write(w)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Refuse writes an error in the provider's words.
func (s *Server[S]) Refuse(w http.ResponseWriter, r *http.Request, status int) {
	s.dialect.Refuse(r, status).Write(w)
}

func (s *Server[S]) serve(r *http.Request, handler Handler[S]) Answer {
	key, refusal := s.dialect.Identify(r)
	if refusal != nil {
		return *refusal
	}
	s.mu.RLock()
	account, ok := s.accounts[key]
	s.mu.RUnlock()
	if !ok {
		return s.dialect.Unknown(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return s.dialect.Refuse(r, http.StatusBadRequest)
	}
	account.mu.Lock()
	defer account.mu.Unlock()
	call := s.call(account, r, body)
	// The answer is frozen while nobody else can change what it shows.
	if s.dialect.Around != nil {
		return s.dialect.Around(call, handler).Frozen()
	}
	return handler(call).Frozen()
}

// call is a request of an account whose lock is held.
func (s *Server[S]) call(account *Account[S], r *http.Request, body []byte) *Call[S] {
	return &Call[S]{
		Request: r, Body: body, State: account.state, Tenant: account.Tenant, Fields: account.Fields,
		Now: s.world.Now(), server: s.dialect.Server, world: s.world, account: account,
	}
}
