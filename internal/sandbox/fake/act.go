package fake

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// Act is what somebody outside does with a thing of an account's, such as a
// customer who pays. It is false where the account has no such thing.
type Act[S any] func(c *Call[S]) (Answer, bool)

// HandleAct adds an act, in the form of [http.ServeMux]. Who acts has no
// credential: it is tried at one account after the other.
func (s *Server[S]) HandleAct(pattern string, act Act[S]) {
	s.acts.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		answer := s.dialect.Refuse(r, http.StatusNotFound)
		s.visit(r, func(c *Call[S]) bool {
			made, ok := act(c)
			if ok {
				answer = made.Frozen()
			}
			return ok
		})
		answer.Write(w)
	})
}

// Acts serves what [Server.HandleAct] added.
func (s *Server[S]) Acts() http.Handler { return s.acts }

// visit calls an account after the other, in the order of their tenants, until
// one says that it was the right one.
func (s *Server[S]) visit(r *http.Request, at func(c *Call[S]) bool) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body) // what could not be read is no act that any account knows
	}
	s.mu.RLock()
	accounts := make([]*Account[S], 0, len(s.accounts))
	for _, account := range s.accounts {
		accounts = append(accounts, account)
	}
	s.mu.RUnlock()
	slices.SortFunc(accounts, func(a, b *Account[S]) int { return strings.Compare(a.Tenant, b.Tenant) })
	for _, account := range accounts {
		if s.at(account, r, body, at) {
			return
		}
	}
}

func (s *Server[S]) at(account *Account[S], r *http.Request, body []byte, act func(c *Call[S]) bool) bool {
	account.mu.Lock()
	defer account.mu.Unlock()
	return act(s.call(account, r, body))
}
