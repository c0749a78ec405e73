package testenv_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

func TestNATSWallsTestsOff(t *testing.T) {
	t.Parallel()
	config := jetstream.StreamConfig{Name: "SAME", Subjects: []string{"same.*"}}
	for _, name := range []string{"one", "two", "three", "four"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			js := testenv.NATS(t).JetStream(t)
			stream, err := js.CreateStream(t.Context(), config)
			require.NoError(t, err)
			_, err = js.Publish(t.Context(), "same.x", []byte(name))
			require.NoError(t, err)
			info, err := stream.Info(t.Context())
			require.NoError(t, err)
			require.Equal(t, uint64(1), info.State.Msgs, "nobody else's message is in the stream")
		})
	}
}

// accountsAndMore is more than twice the number of accounts.
const accountsAndMore = 66

// Not parallel: it uses the accounts up in order to get each of them twice.
func TestNATSAccountsComeBackEmpty(t *testing.T) {
	met := map[string]int{}
	for range accountsAndMore {
		t.Run("", func(t *testing.T) {
			server := testenv.NATS(t)
			met[server.User]++
			js := server.JetStream(t)
			names := js.StreamNames(t.Context())
			for name := range names.Name() {
				require.Fail(t, "a stream is left over", name)
			}
			require.NoError(t, names.Err())
			_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "left"})
			require.NoError(t, err)
		})
	}
	twice := 0
	for _, times := range met {
		if times > 1 {
			twice++
		}
	}
	require.NotZero(t, twice, "no account was lent twice, so nothing was shown")
}

func TestRestartableKeepsPortAndData(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	js := server.JetStream(t)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "kept"})
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "key", []byte("value"))
	require.NoError(t, err)
	url := server.URL

	server.Stop(t)
	brief, cancel := context.WithTimeout(t.Context(), testPoll)
	defer cancel()
	_, err = kv.Get(brief, "key")
	require.Error(t, err, "nobody answers for a stopped server")
	server.Start(t)

	require.Equal(t, url, server.URL)
	kv, err = server.JetStream(t).KeyValue(t.Context(), "kept")
	require.NoError(t, err)
	entry, err := kv.Get(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, "value", string(entry.Value()))
}

func TestClusterSurvivesTheLossOfANode(t *testing.T) {
	t.Parallel()
	cluster := testenv.Cluster(t, 3)
	js := cluster.JetStream(t)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3})
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "s", []byte("before"))
	require.NoError(t, err)
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	leader := cluster.Node(t, info.Cluster.Leader)

	cluster.StopNode(t, leader)
	require.Eventually(t, func() bool { // the broker does not say when it has a new leader
		_, err := js.Publish(t.Context(), "s", []byte("after"))
		return err == nil
	}, testPatience, testPoll)
	cluster.StartNode(t, leader)

	message, err := stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "before", string(message.Data))
	info, err = stream.Info(t.Context())
	require.NoError(t, err)
	require.Len(t, info.Cluster.Replicas, 2)
}
