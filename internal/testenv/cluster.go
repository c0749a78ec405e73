package testenv

import (
	"context"
	"testing"

	"github.com/feira-dev/feira/internal/natsd"
)

// ClusterServer is a JetStream cluster of the test's own, in this process. Its
// URL names every node. It is for one goroutine at a time.
type ClusterServer struct {
	Server

	cluster *natsd.Cluster
}

// Cluster starts a JetStream cluster and returns when a stream can have a
// replica on every node. Anybody may connect to it.
func Cluster(t testing.TB, nodes int) *ClusterServer {
	t.Helper()
	cluster, err := natsd.NewCluster(natsd.ClusterParams{Nodes: nodes, Dir: Dir(t)})
	if err != nil {
		t.Fatalf("making a NATS cluster: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := bounded(t)
		defer cancel()
		if err := cluster.Stop(ctx); err != nil {
			t.Errorf("stopping a NATS cluster: %v", err)
		}
	})
	ctx, cancel := bounded(t)
	defer cancel()
	if err := cluster.Start(ctx); err != nil {
		t.Fatalf("starting a NATS cluster: %v", err)
	}
	return &ClusterServer{Server: Server{URL: cluster.ClientURL()}, cluster: cluster}
}

// Node is the index of the node with this name, as stream information gives it.
func (c *ClusterServer) Node(t testing.TB, name string) int {
	t.Helper()
	i := c.cluster.Node(name)
	if i < 0 {
		t.Fatalf("no node is named %q", name)
	}
	return i
}

// StopNode stops one node and returns when it is gone.
func (c *ClusterServer) StopNode(t testing.TB, i int) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	if err := c.cluster.StopNode(ctx, i); err != nil {
		t.Fatalf("stopping a node: %v", err)
	}
}

// StartNode starts a stopped node with its old data and returns when it has
// caught up.
func (c *ClusterServer) StartNode(t testing.TB, i int) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	if err := c.cluster.StartNode(ctx, i); err != nil {
		t.Fatalf("starting a node: %v", err)
	}
}

// bounded is a context for what must also be done after the test has ended.
func bounded(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(context.WithoutCancel(t.Context()), patience)
}
