package mcp

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
)

var (
	_ agent.Catalogue = (*Client)(nil)
	_ agent.Provider  = (*Client)(nil)
)

// Client calls the tools of attached servers. It is safe for concurrent use.
type Client struct {
	config           Config
	private          map[string]bool
	public, operator *egress.Wire
	lanes            *egress.Lanes
	pool             *pool
	lists            *lists
	calls            sync.WaitGroup // goroutines of calls that nobody waits for any more
}

// New makes a client; it opens nothing.
func New(config Config) (*Client, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	lanes, err := egress.NewLanes(egress.LaneConfig{
		Concurrency: config.Concurrency, QueueWait: config.QueueWait,
		BreakerFailures: config.BreakerFailures, BreakerOpen: config.BreakerOpen, Now: config.Now,
	})
	if err != nil {
		return nil, err
	}
	made := &Client{
		config: config, lanes: lanes, private: map[string]bool{},
		public: egress.PublicWire(config.Resolver), operator: egress.OperatorWire(config.Resolver),
	}
	for _, text := range config.PrivateOrigins {
		origin, err := parseOrigin(text)
		if err != nil {
			return nil, err
		}
		made.private[origin] = true
	}
	if made.lists, err = newLists(config, made.fetch); err != nil {
		return nil, err
	}
	made.pool = newPool(poolConfig{
		sessions: config.Sessions, tenantSessions: config.TenantSessions, idle: config.Idle, openWithin: config.ConnectTimeout,
		now: config.Now, dial: made.dial, changed: made.lists.changed,
	})
	return made, nil
}

// Close ends all sessions and waits until nothing of them is left.
func (c *Client) Close() {
	c.pool.close()
	c.lists.wait()
	c.calls.Wait()
	c.public.Close()
	c.operator.Close()
}

// Tools implements [agent.Catalogue]: in the order of the session's servers,
// then of their lists. Servers that are not attached add nothing, and one that
// cannot tell its tools delays no other.
func (c *Client) Tools(ctx context.Context, reach agent.Reach) []agent.Tool {
	listed := make([][]agent.Tool, len(reach.Servers))
	var group errgroup.Group
	for i, server := range reach.Servers {
		to, fault := c.target(reach, server)
		if fault != nil {
			continue
		}
		group.Go(func() error {
			if set, fault := c.lists.get(ctx, to); fault == nil {
				listed[i] = set.shown
			}
			return nil
		})
	}
	_ = group.Wait()
	var tools []agent.Tool
	for _, some := range listed {
		tools = append(tools, some...)
	}
	return tools
}

// Safety implements [agent.Catalogue]. It knows every name at an attached
// server: a list that cannot be had, or has changed, is no reason to say of a
// call in doubt that it was never sent. Call refuses what is not there.
func (c *Client) Safety(ctx context.Context, reach agent.Reach, server, tool string) (agent.Safety, bool) {
	to, fault := c.target(reach, server)
	if fault != nil {
		return "", false
	}
	if set, fault := c.lists.get(ctx, to); fault == nil {
		if found := set.byName[tool]; found != nil {
			return found.safety, true
		}
	}
	return agent.SafetyUnsafe, true
}

// Lookup implements [agent.Provider]: the protocol has no way to ask what
// became of a call.
func (c *Client) Lookup(context.Context, agent.Call) (agent.Result, bool) {
	return agent.Result{}, false
}
