package deployment_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// options are those of one node, with the secrets of the example. Setting an
// environment keeps these tests from running side by side.
func options(t *testing.T, node string) *server.Options {
	t.Helper()
	for name, value := range environment(t, "nats.env.example") {
		t.Setenv(name, value)
	}
	t.Setenv("NATS_NAME", node)
	options, err := server.ProcessConfigFile(filepath.Join(root, "nats", "nats.conf"))
	require.NoError(t, err)
	return options
}

func TestBrokersKnowEachOther(t *testing.T) {
	for _, node := range facts().Brokers {
		options := options(t, node)
		require.Equal(t, node, options.ServerName)
		require.True(t, options.JetStream)
		require.Equal(t, "/data", options.StoreDir, "the folder that compose puts on a volume")
		require.Equal(t, "feira", options.Cluster.Name)
		require.NotEmpty(t, options.Cluster.Password, "any process could join the cluster")
		require.EqualValues(t, events.MaxMessageBytes, options.MaxPayload)
		require.Equal(t, "SYS", options.SystemAccount)
		require.Empty(t, options.NoAuthUser)
		var hosts []string
		for _, route := range options.Routes {
			hosts = append(hosts, route.Hostname())
			password, ok := route.User.Password()
			require.True(t, ok)
			require.Equal(t, options.Cluster.Username, route.User.Username())
			require.Equal(t, options.Cluster.Password, password)
		}
		require.Equal(t, facts().Brokers, hosts)
	}
}

// broker runs one node of the deployed configuration, on a free port, alone.
func broker(t *testing.T) string {
	t.Helper()
	options := options(t, "nats-1")
	options.Host, options.Port, options.HTTPPort, options.HTTPHost = "127.0.0.1", -1, 0, ""
	options.StoreDir = t.TempDir()
	options.Cluster, options.Routes = server.ClusterOpts{}, nil
	options.NoLog, options.NoSigs = true, true
	node, err := server.NewServer(options)
	require.NoError(t, err)
	node.Start()
	t.Cleanup(func() {
		node.Shutdown()
		node.WaitForShutdown()
	})
	require.True(t, node.ReadyForConnections(10*time.Second))
	return node.ClientURL()
}

func connect(t *testing.T, url, user, password string, more ...nats.Option) (*nats.Conn, chan error) {
	t.Helper()
	complaints := make(chan error, 8)
	conn, err := nats.Connect(url, append(more, nats.UserInfo(user, password),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { complaints <- err }))...)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn, complaints
}

// refused waits for the broker's word that it will not have it.
func refused(t *testing.T, conn *nats.Conn, complaints <-chan error) {
	t.Helper()
	require.NoError(t, conn.Flush())
	select {
	case err := <-complaints:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
	case <-time.After(5 * time.Second):
		require.Fail(t, "the broker let it through")
	}
}

// TestWalls runs the deployed accounts: a tenant reaches its own requests and
// feed and nothing else, and live and test do not hear each other.
func TestWalls(t *testing.T) {
	url := broker(t)
	live, _ := connect(t, url, "feira", "change-me-live")
	test, _ := connect(t, url, "feira-test", "change-me-test")
	acme, complaints := connect(t, url, "acme", "change-me-acme", nats.CustomInboxPrefix("_INBOX_acme"))

	for _, conn := range []*nats.Conn{live, test} {
		stream, err := jetstream.New(conn)
		require.NoError(t, err)
		_, err = stream.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: events.StreamRequests, Subjects: []string{events.SubjectAllRequests},
		})
		require.NoError(t, err)
	}

	// The tenant's request is stored in LIVE alone, and the acknowledgement finds its way back.
	reply, err := acme.RequestWithContext(t.Context(), events.RequestsSubject("acme"), []byte(`{"message":"hi"}`))
	require.NoError(t, err)
	require.Contains(t, string(reply.Data), `"stream":"REQUESTS"`)
	require.Equal(t, uint64(1), stored(t, live))
	require.Zero(t, stored(t, test))

	// Its feed arrives.
	feed, err := acme.SubscribeSync(events.FeedSubject("acme", ""))
	require.NoError(t, err)
	require.NoError(t, acme.Flush())
	require.NoError(t, live.Publish(events.FeedSubject("acme", "s1"), []byte("fact")))
	message, err := feed.NextMsgWithContext(t.Context())
	require.NoError(t, err)
	require.Equal(t, "fact", string(message.Data))

	// Another's requests, feed, the logs, the vault and the broker's own API do not.
	for _, subject := range []string{
		events.RequestsSubject("rival"), events.SessionSubject("acme", "s1"), events.RunsSubject("acme", "s-s1"), events.SubjectAskQueue,
		events.DeltaSubject("acme", "s1"), "$JS.API.STREAM.NAMES", "$KV." + events.BucketVault + ".acme", "$SYS.REQ.SERVER.PING",
	} {
		require.NoError(t, acme.Publish(subject, nil))
		refused(t, acme, complaints)
	}
	for _, subject := range []string{">", events.FeedSubject("rival", ""), "_INBOX.>", "_INBOX_rival.>", events.RequestsSubject("acme")} {
		_, err := acme.SubscribeSync(subject)
		require.NoError(t, err)
		refused(t, acme, complaints)
	}

	// An answer asked for on the subject of another's request reaches nobody in LIVE.
	before := stored(t, live)
	require.NoError(t, acme.PublishRequest(events.RequestsSubject("acme"), events.RequestsSubject("rival"), []byte("x")))
	require.NoError(t, acme.Flush())
	_, err = acme.RequestWithContext(t.Context(), events.RequestsSubject("acme"), []byte("y"))
	require.NoError(t, err)
	require.Equal(t, before+2, stored(t, live), "the acknowledgement became a request of another tenant")

	_, err = nats.Connect(url)
	require.ErrorIs(t, err, nats.ErrAuthorization, "a client without a name was let in")
}

func stored(t *testing.T, conn *nats.Conn) uint64 {
	t.Helper()
	stream, err := jetstream.New(conn)
	require.NoError(t, err)
	requests, err := stream.Stream(t.Context(), events.StreamRequests)
	require.NoError(t, err)
	return requests.CachedInfo().State.Msgs
}
