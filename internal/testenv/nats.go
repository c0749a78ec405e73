package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/crypto/bcrypt"

	"github.com/feira-dev/feira/internal/natsd"
)

const (
	// accounts is how many tests of one binary may hold an account at one time.
	accounts = 32
	patience = 30 * time.Second
)

// Server is a NATS server, or a walled part of one, that a test may use.
type Server struct {
	URL      string
	User     string
	Password string
}

// NATS lends the test an empty NATS account with JetStream, on a server that
// all tests of the binary share. Nothing that another test does is seen in it.
// What the test leaves in it is removed when the test ends.
func NATS(t testing.TB) *Server {
	t.Helper()
	pool, err := shared.get()
	if err != nil {
		t.Fatalf("starting the shared NATS server: %v", err)
	}
	select {
	case lent := <-pool.free:
		t.Cleanup(func() {
			if err := errors.Join(keepStore(pool.dir, lent.User), lent.empty()); err != nil {
				t.Errorf("emptying a NATS account: %v", err) // and it is not lent again
				return
			}
			pool.free <- lent
		})
		return lent
	case <-t.Context().Done():
		t.Fatalf("waiting for one of %d NATS accounts: %v", accounts, context.Cause(t.Context()))
		return nil
	}
}

// Connect opens a connection that ends with the test.
func (s *Server) Connect(t testing.TB, options ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := s.connect(options...)
	if err != nil {
		t.Fatalf("connecting to NATS: %v", err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// JetStream is [Server.Connect] with JetStream on top.
func (s *Server) JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(s.Connect(t))
	if err != nil {
		t.Fatalf("opening JetStream: %v", err)
	}
	return js
}

func (s *Server) connect(options ...nats.Option) (*nats.Conn, error) {
	if s.User != "" {
		options = append([]nats.Option{nats.UserInfo(s.User, s.Password)}, options...)
	}
	return nats.Connect(s.URL, options...)
}

// Lose deletes a stream with all that is in it, as an accident would.
func (s *Server) Lose(t testing.TB, stream string) {
	t.Helper()
	if err := s.JetStream(t).DeleteStream(t.Context(), stream); err != nil {
		t.Fatalf("deleting stream %s: %v", stream, err)
	}
}

// empty deletes every stream of the account, and with them consumers and buckets.
func (s *Server) empty() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := s.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if err := js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("deleting stream %s: %w", name, err)
		}
	}
	return names.Err()
}

// pool is the shared server and its accounts that no test holds.
type pool struct {
	server *natsd.Server
	dir    string // of the server, where artifacts are kept
	free   chan *Server
}

// sharedPool starts a pool when the first test asks for it.
type sharedPool struct {
	mu   sync.Mutex
	pool *pool
	err  error
}

// shared is the one variable of the package that outlives a test: the point of
// it is to start one server for all tests of a binary.
var shared sharedPool

func (s *sharedPool) get() (*pool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool == nil && s.err == nil {
		s.pool, s.err = startPool()
	}
	return s.pool, s.err
}

func endShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.pool == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return shared.pool.server.Stop(ctx)
}

func startPool() (*pool, error) {
	password := Mark + rand.Text()
	// One hash for all: hashing it once for each account would be the dearest
	// part of the start.
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	users := make([]natsd.User, accounts)
	for i := range users {
		name := "test" + strconv.Itoa(i)
		users[i] = natsd.User{Name: name, Password: string(hash), Account: natsd.Account{Name: name, JetStream: true}}
	}
	dir := ""
	if artifacts() != "" {
		if dir, err = keep("shared"); err != nil {
			return nil, err
		}
	}
	server, err := natsd.New(natsd.Config{Users: users, Dir: dir})
	if err != nil {
		return nil, err
	}
	if err := server.Start(context.Background()); err != nil {
		return nil, err
	}
	free := make(chan *Server, accounts)
	for _, user := range users {
		free <- &Server{URL: server.ClientURL(), User: user.Name, Password: password}
	}
	return &pool{server: server, dir: dir, free: free}, nil
}
