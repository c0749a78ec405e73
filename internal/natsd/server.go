package natsd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/feira-dev/feira/internal/lifecycle"
)

const (
	// readyPatience bounds the wait for the listeners.
	readyPatience = 10 * time.Second
	// readyPoll is how often the wait looks for a fatal line: the listener for
	// other servers is bound aside, and only a line tells that it cannot be.
	readyPoll = 100 * time.Millisecond
)

// Server is one embedded NATS server. It is a [lifecycle.Part], good for one
// start; a restart is a new Server with the same [Config].
type Server struct {
	*lifecycle.Runner

	config Config
	inner  atomic.Pointer[server.Server] // set once it listens, by the loop
}

// New returns an idle server.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Server{config: config.withDefaults()}
	s.Runner = lifecycle.NewRunner("natsd", s.run)
	return s, nil
}

// ClientURL is where clients connect, without credentials; "" before the
// server has started.
func (s *Server) ClientURL() string {
	inner := s.inner.Load()
	if inner == nil {
		return ""
	}
	address, ok := inner.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	return "nats://" + net.JoinHostPort(s.reachableHost(), strconv.Itoa(address.Port))
}

// reachableHost is a host that a client on this machine can use.
func (s *Server) reachableHost() string {
	if ip := net.ParseIP(s.config.Host); ip != nil && ip.IsUnspecified() {
		return DefaultHost
	}
	return s.config.Host
}

// run is the server's life. The server's own start cannot be interrupted, so a
// stop that comes during one takes effect when it is over.
func (s *Server) run(fetch, _ context.Context, ready func()) error {
	held, err := openStore(s.config.Dir)
	if err != nil {
		return err
	}
	return errors.Join(s.serve(fetch, held.dir, ready), held.close())
}

func (s *Server) serve(fetch context.Context, dir string, ready func()) error {
	options, err := s.config.options(dir)
	if err != nil {
		return err
	}
	inner, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	log := &journal{logger: s.config.Logger}
	inner.SetLoggerV2(log, false, false, false)
	defer func() {
		inner.Shutdown()
		inner.WaitForShutdown()
	}()
	inner.Start()
	if err := awaitReady(inner, log); err != nil {
		return err
	}
	log.started()
	s.inner.Store(inner)
	ready()
	<-fetch.Done()
	return nil
}

func awaitReady(inner *server.Server, log *journal) error {
	for range readyPatience / readyPoll {
		if fault := log.fault(); fault != "" {
			return fmt.Errorf("%w: %s", ErrStart, fault)
		}
		if inner.ReadyForConnections(readyPoll) {
			return nil
		}
	}
	return fmt.Errorf("%w: it does not listen after %s", ErrStart, readyPatience)
}
