package natsd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// healthPoll is how often a node is asked whether it is well. The server tells
// nobody when it becomes so.
const healthPoll = 20 * time.Millisecond

// WaitHealthy returns when every node that is up is in touch with the cluster's
// leader and caught up with it, and the leader would place a replica on each: a
// stream with as many replicas as there are nodes can be made from then on.
func (c *Cluster) WaitHealthy(ctx context.Context) error {
	tick := time.NewTicker(healthPoll)
	defer tick.Stop()
	for {
		fault := c.fault()
		if fault == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: %w", ErrNotHealthy, fault, context.Cause(ctx))
		}
	}
}

// fault is what keeps the cluster from being healthy; "" when nothing does.
func (c *Cluster) fault() string {
	up, usable, led := 0, 0, false
	for i, node := range c.nodes {
		if node == nil {
			continue
		}
		up++
		inner := node.inner.Load()
		if health := inner.Healthz(nil); health.Error != "" {
			return fmt.Sprintf("node %d: %s", i, health.Error)
		}
		if inner.JetStreamIsLeader() {
			led, usable = true, usableBy(inner)
		}
	}
	switch {
	case up*2 <= len(c.nodes):
		return fmt.Sprintf("%d of %d nodes are up", up, len(c.nodes))
	case !led:
		return "there is no leader"
	case usable < up:
		return fmt.Sprintf("the leader can place a replica on %d of %d nodes", usable, up)
	default:
		return ""
	}
}

// usableBy counts the nodes that a leader would place a replica on, itself among
// them. A node that is healthy by itself may not have joined the leader yet, and
// one that has joined may not have said what room it has: the leader refuses a
// stream that needs it until then.
func usableBy(leader *server.Server) int {
	info, err := leader.Jsz(&server.JSzOptions{})
	if err != nil || info.Meta == nil {
		return 0
	}
	measured := leader.JetStreamClusterPeers() // those whose room is known
	usable := 0
	if slices.Contains(measured, leader.Name()) {
		usable++
	}
	for _, peer := range info.Meta.Replicas {
		if peer.Current && !peer.Offline && slices.Contains(measured, peer.Name) {
			usable++
		}
	}
	return usable
}
