package testenv

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/feira-dev/feira/internal/natsd"
)

// RestartableServer is a NATS server of the test's own. Its port and its data stay
// the same over restarts. It is for one goroutine at a time.
type RestartableServer struct {
	Server

	config natsd.Config
	inner  *natsd.Server // nil while stopped
}

// Restartable starts a NATS server that the test may stop and start again.
// Anybody may connect to it.
func Restartable(t testing.TB) *RestartableServer {
	t.Helper()
	s := &RestartableServer{config: natsd.Config{Dir: Dir(t)}}
	s.Start(t)
	s.URL = s.inner.ClientURL()
	_, port, err := net.SplitHostPort(s.URL[len("nats://"):])
	if err != nil {
		t.Fatalf("reading the port of %s: %v", s.URL, err)
	}
	if s.config.Port, err = strconv.Atoi(port); err != nil {
		t.Fatalf("reading the port of %s: %v", s.URL, err)
	}
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// Start starts the server again. Starting a running one does nothing.
func (s *RestartableServer) Start(t testing.TB) {
	t.Helper()
	if s.inner != nil {
		return
	}
	inner, err := natsd.New(s.config)
	if err != nil {
		t.Fatalf("making a NATS server: %v", err)
	}
	if err := inner.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("starting a NATS server: %v", err)
	}
	s.inner = inner
}

// Stop stops the server and returns when it is gone. Stopping a stopped one
// does nothing.
func (s *RestartableServer) Stop(t testing.TB) {
	t.Helper()
	if s.inner == nil {
		return
	}
	inner := s.inner
	s.inner = nil
	ctx, cancel := bounded(t)
	defer cancel()
	if err := inner.Stop(ctx); err != nil {
		t.Errorf("stopping a NATS server: %v", err)
	}
}
