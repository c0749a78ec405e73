package natsd_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/testenv"
)

const patience = 20 * time.Second

func TestMain(m *testing.M) { testenv.Main(m) }

// serve starts a server that ends with the test.
func serve(t *testing.T, config natsd.Config) *natsd.Server {
	t.Helper()
	server, err := natsd.New(config)
	require.NoError(t, err)
	require.NoError(t, server.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { shut(t, server) })
	return server
}

func shut(t *testing.T, server *natsd.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	require.NoError(t, server.Stop(ctx))
}

func connect(t *testing.T, server *natsd.Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(server.ClientURL(), options...)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

func streams(t *testing.T, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

// diary keeps log lines.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func (d *diary) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(d, &slog.HandlerOptions{Level: level}))
}
