package natsd_test

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natsd"
)

func startCluster(t *testing.T) *natsd.Cluster {
	t.Helper()
	cluster, err := natsd.NewCluster(natsd.ClusterParams{
		Dir:   t.TempDir(),
		Users: []natsd.User{natsd.OperatorUser("operator", "secret"), natsd.TenantUser(acme, "pa"), natsd.TenantUser(rival, "pr")},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		require.NoError(t, cluster.Stop(ctx))
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, cluster.Start(ctx))
	return cluster
}

// Walls hold in a cluster too, where a request and its answer cross nodes.
func TestClusterReplicatesAndWallsOff(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	operator, err := nats.Connect(cluster.ClientURL(), nats.UserInfo("operator", "secret"))
	require.NoError(t, err)
	t.Cleanup(operator.Close)
	js := streams(t, operator)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: events.StreamRequests, Subjects: []string{events.SubjectAllRequests}, Replicas: 3,
	})
	require.NoError(t, err)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: events.BucketTenants, Replicas: 3})
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), string(rival), []byte("untouched"))
	require.NoError(t, err)

	tenant, err := nats.Connect(cluster.ClientURL(), nats.UserInfo(string(acme), "pa"), nats.CustomInboxPrefix(natsd.InboxPrefix(acme)))
	require.NoError(t, err)
	t.Cleanup(tenant.Close)
	require.NoError(t, tenant.PublishRequest(events.RequestsSubject(acme), "$KV."+events.BucketTenants+"."+string(rival), nil))
	ack, err := streams(t, tenant).Publish(t.Context(), events.RequestsSubject(acme), []byte("x"))
	require.NoError(t, err)
	require.Equal(t, uint64(2), ack.Sequence)
	entry, err := kv.Get(t.Context(), string(rival))
	require.NoError(t, err)
	require.Equal(t, "untouched", string(entry.Value()))

	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	require.Len(t, info.Cluster.Replicas, 2)
	require.GreaterOrEqual(t, cluster.Node(info.Cluster.Leader), 0)
	require.Equal(t, -1, cluster.Node("nobody"))
}

func TestClusterTellsWhyItIsNotHealthy(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	for i := range 2 {
		require.NoError(t, cluster.StopNode(t.Context(), i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), silence)
	defer cancel()
	require.ErrorIs(t, cluster.WaitHealthy(ctx), natsd.ErrNotHealthy)
	require.NoError(t, cluster.StopNode(t.Context(), 0), "stopping a stopped node")

	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, cluster.Start(ctx))
	require.NoError(t, cluster.WaitHealthy(ctx))
}

func TestClusterNeedsADirectory(t *testing.T) {
	t.Parallel()
	_, err := natsd.NewCluster(natsd.ClusterParams{})
	require.ErrorIs(t, err, natsd.ErrConfig)
}

func TestClusterPortInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It ends with the test.
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	_, text, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	server, err := natsd.New(natsd.Config{Cluster: &natsd.ClusterConfig{Name: "c", Port: port, Peers: []string{"127.0.0.1:1"}}})
	require.NoError(t, err)
	err = server.Start(t.Context())
	require.ErrorIs(t, err, natsd.ErrStart)
	require.ErrorContains(t, err, "address already in use")
}
