package natsd_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/natsd"
)

var _ lifecycle.Part = (*natsd.Server)(nil)

// Not parallel: it looks for goroutines left behind.
func TestServerKeepsTheContract(t *testing.T) {
	lifecycletest.Stress(t, func() lifecycle.Part {
		server, err := natsd.New(natsd.Config{})
		require.NoError(t, err)
		return server
	})
}

func TestRestartFindsAllData(t *testing.T) {
	t.Parallel()
	config := natsd.Config{Dir: filepath.Join(t.TempDir(), "new", "store"), SyncAlways: true}
	server := serve(t, config)
	js := streams(t, connect(t, server))
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	require.NoError(t, err)
	for i := range 100 {
		_, err := js.Publish(t.Context(), "s."+strconv.Itoa(i), []byte{byte(i)})
		require.NoError(t, err)
	}
	_, err = stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	shut(t, server)

	// Users have come meanwhile: the data is found all the same.
	config.Users = []natsd.User{natsd.OperatorUser("operator", "secret"), natsd.TenantUser("acme", "other")}
	server = serve(t, config)
	js = streams(t, connect(t, server, nats.UserInfo("operator", "secret")))
	stream, err = js.Stream(t.Context(), "S")
	require.NoError(t, err)
	require.Equal(t, uint64(100), stream.CachedInfo().State.Msgs)
	_, err = stream.Consumer(t.Context(), "d")
	require.NoError(t, err)
}

func TestDirectoryIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	require.NoError(t, os.Mkdir(dir, 0o755))
	serve(t, natsd.Config{Dir: dir})
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestTemporaryDirectoryIsRemoved(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	server := serve(t, natsd.Config{})
	made, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Len(t, made, 1)
	shut(t, server)
	made, err = os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, made)
}

func TestDirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serve(t, natsd.Config{Dir: dir})
	second, err := natsd.New(natsd.Config{Dir: dir})
	require.NoError(t, err)
	err = second.Start(t.Context())
	require.ErrorIs(t, err, natsd.ErrInUse)
	require.EqualError(t, err, "data directory "+dir+" is in use by another feira")
	require.NotNil(t, connect(t, first), "the first is not harmed")

	shut(t, first)
	serve(t, natsd.Config{Dir: dir})
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	first := serve(t, natsd.Config{})
	_, text, err := net.SplitHostPort(first.ClientURL()[len("nats://"):])
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	second, err := natsd.New(natsd.Config{Port: port, Dir: t.TempDir()})
	require.NoError(t, err)
	err = second.Start(t.Context())
	require.ErrorIs(t, err, natsd.ErrStart)
	require.ErrorContains(t, err, text, "the error names the port")
	require.ErrorIs(t, second.Err(), natsd.ErrStart)
	require.Empty(t, second.ClientURL())
}

func TestMaxPayload(t *testing.T) {
	t.Parallel()
	conn := connect(t, serve(t, natsd.Config{}))
	require.Equal(t, int64(events.MaxMessageBytes), conn.MaxPayload())
}

func TestRunawayConsumersAreRefused(t *testing.T) {
	t.Parallel()
	js := streams(t, connect(t, serve(t, natsd.Config{})))
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	// On a slow machine the first would be forgotten before the last is made.
	consumer := jetstream.ConsumerConfig{MemoryStorage: true, InactiveThreshold: time.Hour}
	for i := range 1_000 {
		consumer.Name = "c" + strconv.Itoa(i)
		_, err := stream.CreateConsumer(t.Context(), consumer)
		require.NoError(t, err)
	}
	consumer.Name = "one-too-many"
	_, err = stream.CreateConsumer(t.Context(), consumer)
	require.ErrorContains(t, err, "maximum consumers limit reached")
}

func TestLogTellsNoSecret(t *testing.T) {
	t.Parallel()
	const secret, tenantSecret = "operator-secret-7d1f", "tenant-secret-90ab"
	lines := &diary{}
	server := serve(t, natsd.Config{
		Users:  []natsd.User{natsd.OperatorUser("operator", secret), natsd.TenantUser("acme", tenantSecret)},
		Logger: lines.logger(slog.LevelDebug),
	})
	connect(t, server, nats.UserInfo("operator", secret))
	connect(t, server, nats.UserInfo("acme", tenantSecret))
	_, err := nats.Connect(server.ClientURL(), nats.UserInfo("operator", "wrong-guess-33"))
	require.ErrorIs(t, err, nats.ErrAuthorization)
	shut(t, server)

	require.Contains(t, lines.String(), "Server is ready")
	require.Contains(t, lines.String(), "level=WARN", "a refused client is worth a warning")
	require.NotContains(t, lines.String(), "Plaintext passwords")
	for _, text := range []string{secret, tenantSecret, "wrong-guess-33"} {
		require.NotContains(t, lines.String(), text)
		require.NotContains(t, server.ClientURL(), text)
	}
}

func TestStartThatIsTooLateLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := natsd.New(natsd.Config{Dir: dir})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, server.Start(ctx), context.Canceled)
	shut(t, server)
	serve(t, natsd.Config{Dir: dir})
}
