package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/sync/singleflight"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// Longest keys: in a header, by Stripe's word, and in a field of an effect, by
// the shortest of the fields.
const (
	maxIdempotencyKey = 255
	maxTraceKey       = 50
)

var (
	_ agent.Catalogue = (*Client)(nil)
	_ agent.Provider  = (*Client)(nil)
)

// Client calls tools. It is safe for concurrent use.
type Client struct {
	config  Config
	servers map[string]*server
	order   []string
	tokens  *tokens
	lanes   *egress.Lanes
	// renewing lets one call renew a credential for all that need it.
	renewing singleflight.Group
	wires    []*egress.Wire
}

// New checks and compiles all manifests; it sends nothing.
func New(config Config) (*Client, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	tokens, err := newTokens(config.Now)
	if err != nil {
		return nil, err
	}
	lanes, err := egress.NewLanes(egress.LaneConfig{
		Concurrency: config.Concurrency, QueueWait: config.QueueWait,
		BreakerFailures: config.BreakerFailures, BreakerOpen: config.BreakerOpen, Now: config.Now,
	})
	if err != nil {
		return nil, err
	}
	public, operator := egress.PublicWire(config.Resolver), egress.OperatorWire(config.Resolver)
	made := &Client{config: config, servers: map[string]*server{}, tokens: tokens, lanes: lanes, wires: []*egress.Wire{public, operator}}
	var faults []error
	for _, manifest := range config.Manifests {
		compiled, err := compileServer(manifest, config.BaseURLs[manifest.ID])
		if err == nil && made.servers[manifest.ID] != nil {
			err = fmt.Errorf("%w: %s is there twice", ErrInvalidManifest, manifest.ID)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		compiled.wire = public
		if compiled.override != "" {
			compiled.wire = operator
		}
		made.servers[manifest.ID] = compiled
		made.order = append(made.order, manifest.ID)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	for id := range config.BaseURLs {
		if made.servers[id] == nil {
			faults = append(faults, fmt.Errorf("provider: BaseURLs[%s] is for a server without a manifest", id))
		}
	}
	slices.Sort(made.order)
	return made, errors.Join(faults...)
}

// Close drops idle connections; calls that are going on are not touched.
func (c *Client) Close() {
	for _, wire := range c.wires {
		wire.Close()
	}
}

// Servers are the ids of all servers, sorted.
func (c *Client) Servers() []string { return slices.Clone(c.order) }

// Manifest is what is known of a server; false when nothing is.
func (c *Client) Manifest(id string) (Manifest, bool) {
	found, ok := c.servers[id]
	if !ok {
		return Manifest{}, false
	}
	return found.manifest, true
}

// Tools implements [agent.Catalogue]: in the order of servers, then of their
// manifests. Servers that are not known, or named again, add nothing.
func (c *Client) Tools(_ context.Context, reach agent.Reach) []agent.Tool {
	var tools []agent.Tool
	for i, id := range reach.Servers {
		found, ok := c.servers[id]
		if !ok || slices.Contains(reach.Servers[:i], id) {
			continue
		}
		for _, tool := range found.tools {
			tools = append(tools, agent.Tool{
				Name: agent.ToolName(id, tool.Name), Description: tool.Description, Parameters: slices.Clone(tool.parameters),
			})
		}
	}
	return tools
}

// Safety implements [agent.Catalogue].
func (c *Client) Safety(_ context.Context, reach agent.Reach, server, tool string) (agent.Safety, bool) {
	if found := c.find(reach, server, tool); found != nil {
		return found.Safety, true
	}
	return "", false
}

// find is a tool of a server. Those of raw calls are for callers: a model is
// offered none, and has none that it makes up the name of.
func (c *Client) find(reach agent.Reach, server, tool string) *tool {
	on, ok := c.servers[server]
	if !ok {
		return nil
	}
	if found := on.byName[tool]; found != nil || !reach.Direct {
		return found
	}
	return on.raw[tool]
}

// Call implements [agent.Provider].
func (c *Client) Call(ctx context.Context, call agent.Call) agent.Result {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	found := c.find(call.Reach, call.Server, call.Tool)
	if found == nil {
		return refusal(events.FaultUnknownTool, "there is no tool "+hostile.Shown(call.Tool)+" at "+hostile.Shown(call.Server))
	}
	opened, laid, fault := c.prepare(ctx, found, call)
	if fault != nil {
		return ofDoubt(call, found.Safety, agent.Result{Status: events.ToolRefused, Fault: fault})
	}
	lane, leave := c.lanes.Enter(egress.LaneKey{Tenant: call.Tenant, Server: call.Server, Environment: call.Environment})
	defer leave()
	opened.lane = lane
	return opened.dispatch(ctx, found, laid, call)
}

// prepare holds a call against the walls in front of its dispatch.
func (c *Client) prepare(ctx context.Context, t *tool, call agent.Call) (*account, request, *events.ToolFault) {
	on := c.servers[call.Server]
	laid, fault := t.layOut(on, call)
	if fault != nil {
		return nil, request{}, fault
	}
	opened, fault := c.account(ctx, on, call)
	if fault == nil {
		fault = opened.equipped(t)
	}
	return opened, laid, fault
}

func (c *Client) setHeaders(into http.Header, manifest Manifest) {
	for name, value := range manifest.Headers {
		into.Set(name, value)
	}
	if c.config.UserAgent != "" {
		into.Set("User-Agent", c.config.UserAgent)
	}
}

// fitKey fits a key into limit bytes, at least 40; the same key always the same way.
func fitKey(key string, limit int) string {
	if len(key) <= limit && !hostile.HasControl(key) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:20])
}
