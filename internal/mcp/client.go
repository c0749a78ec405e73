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

	mu     sync.Mutex
	closed bool
	users  sync.WaitGroup // of the client; none comes once it is closed
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

// Close ends all sessions and waits until nothing of them is left. Calls that
// are going on end with them.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.pool.close()
	c.users.Wait()
	c.lists.wait()
	c.calls.Wait()
	c.pool.wait()
	c.public.Close()
	c.operator.Close()
}

// enter counts a user in; false when the client is closed.
func (c *Client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.users.Add(1)
	return true
}

// Tools implements [agent.Catalogue]: in the order of the session's servers,
// then of their lists. Servers that are not attached add nothing, and one that
// cannot tell its tools delays no other.
func (c *Client) Tools(ctx context.Context, reach agent.Reach) []agent.Tool {
	if !c.enter() {
		return nil
	}
	defer c.users.Done()
	listed := make([][]agent.Tool, len(reach.Servers))
	var group errgroup.Group
	for i, server := range reach.Servers {
		to, fault := c.target(reach, server)
		if fault != nil {
			continue
		}
		group.Go(func() error {
			if set, failed := c.lists.get(ctx, to); failed == nil {
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
	if fault != nil || !c.enter() {
		return "", false
	}
	defer c.users.Done()
	if set, failed := c.lists.get(ctx, to); failed == nil {
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
