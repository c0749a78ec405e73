package commerce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/hostile"
)

var (
	_ agent.Catalogue = (*Market)(nil)
	_ agent.Provider  = (*Market)(nil)
)

// Config is what a market is made of.
type Config struct {
	// Catalogue and Provider are those of the servers; both are needed.
	Catalogue agent.Catalogue
	Provider  agent.Provider
	// Directory tells of servers beyond the session's. Defaults to none.
	Directory Directory
	// Connections tells which servers a tenant has connected. Defaults to none
	// that anybody knows of.
	Connections Connections
	// Now is the clock, for due dates; it is needed.
	Now func() time.Time
}

// Validate joins all faults.
func (c Config) Validate() error {
	var faults []error
	if c.Catalogue == nil {
		faults = append(faults, errors.New("commerce: Catalogue is needed"))
	}
	if c.Provider == nil {
		faults = append(faults, errors.New("commerce: Provider is needed"))
	}
	if c.Now == nil {
		faults = append(faults, errors.New("commerce: Now is needed"))
	}
	return errors.Join(faults...)
}

// Market offers the meta-tools beside the tools of the servers. It is safe for
// concurrent use.
type Market struct {
	cfg   Config
	tools []*metaTool
}

// metaTool is one tool of [agent.OwnServer].
type metaTool struct {
	name        string
	description string
	safety      agent.Safety
	schema      *schema
	// deed is what a server has to be able to do for the tool to be offered;
	// empty for a tool that needs none.
	deed deed
	call func(ctx context.Context, r *run) (string, error)
}

// New makes a market.
func New(cfg Config) (*Market, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	made := &Market{cfg: cfg}
	for _, about := range made.offer() {
		compiled, err := compileSchema(about.parameters)
		if err != nil {
			return nil, fmt.Errorf("compiling the schema of %s: %w", about.tool.name, err)
		}
		about.tool.schema = compiled
		made.tools = append(made.tools, about.tool)
	}
	return made, nil
}

// stall is a tool with its schema as text.
type stall struct {
	tool       *metaTool
	parameters string
}

func (m *Market) offer() []stall {
	return []stall{
		{&metaTool{name: toolListTools, description: listToolsAbout, safety: agent.SafetyRead, call: m.listTools}, listToolsSchema},
		{&metaTool{name: toolDiscover, description: discoverAbout, safety: agent.SafetyRead, call: m.discover}, discoverSchema},
		{&metaTool{name: toolConnections, description: connectionsAbout, safety: agent.SafetyRead, call: m.manageConnections}, connectionsSchema},
		{&metaTool{name: toolCharge, description: chargeAbout, safety: agent.SafetyKeyed, deed: deedCharge, call: m.charge}, chargeSchema},
		{&metaTool{name: toolPay, description: payAbout, safety: agent.SafetyKeyed, deed: deedPay, call: m.pay}, paySchema},
		{&metaTool{name: toolInvoice, description: invoiceAbout, safety: agent.SafetyKeyed, deed: deedInvoice, call: m.invoice}, invoiceSchema},
		{&metaTool{name: toolShip, description: shipAbout, safety: agent.SafetyKeyed, deed: deedShip, call: m.ship}, shipSchema},
		{&metaTool{name: toolNotify, description: notifyAbout, safety: agent.SafetyKeyed, deed: deedNotify, call: m.notify}, notifySchema},
	}
}

// Names of the meta-tools.
const (
	toolListTools   = agent.OwnServer + "_list_tools"
	toolDiscover    = agent.OwnServer + "_discover"
	toolConnections = agent.OwnServer + "_manage_connections"
	toolCharge      = agent.OwnServer + "_charge"
	toolPay         = agent.OwnServer + "_pay"
	toolInvoice     = agent.OwnServer + "_invoice"
	toolShip        = agent.OwnServer + "_ship"
	toolNotify      = agent.OwnServer + "_notify"
)

// Tools implements [agent.Catalogue]: the meta-tools that the reach can serve,
// then the tools of its servers.
func (m *Market) Tools(ctx context.Context, reach agent.Reach) []agent.Tool {
	var tools []agent.Tool
	for _, tool := range m.tools {
		if m.serves(ctx, reach, tool) {
			tools = append(tools, agent.Tool{Name: tool.name, Description: tool.description, Parameters: slices.Clone(tool.schema.text)})
		}
	}
	return append(tools, m.cfg.Catalogue.Tools(ctx, reach)...)
}

// Safety implements [agent.Catalogue].
func (m *Market) Safety(ctx context.Context, reach agent.Reach, server, tool string) (agent.Safety, bool) {
	if server != agent.OwnServer {
		return m.cfg.Catalogue.Safety(ctx, reach, server, tool)
	}
	found := m.find(tool)
	if found == nil || !m.serves(ctx, reach, found) {
		return "", false
	}
	return found.safety, true
}

func (m *Market) find(name string) *metaTool {
	at := slices.IndexFunc(m.tools, func(tool *metaTool) bool { return tool.name == name })
	if at < 0 {
		return nil
	}
	return m.tools[at]
}

// serves reports whether a server within reach can do what a tool is for.
func (m *Market) serves(ctx context.Context, reach agent.Reach, tool *metaTool) bool {
	return tool.deed == "" || slices.ContainsFunc(reach.Servers, func(server string) bool { return m.trades(ctx, reach, server, tool.deed) })
}

// Call implements [agent.Provider].
func (m *Market) Call(ctx context.Context, call agent.Call) agent.Result {
	if call.Server != agent.OwnServer {
		return m.cfg.Provider.Call(ctx, call)
	}
	tool := m.find(call.Tool)
	if tool == nil {
		return refusal(events.FaultUnknownTool, "there is no tool "+hostile.Shown(call.Tool))
	}
	r := &run{market: m, call: call, tool: tool}
	if err := tool.schema.check(call.Arguments); err != nil {
		return refusal(events.FaultInvalidArguments, err.Error()) // it was refused before, too
	}
	if tool.safety == agent.SafetyRead {
		r.reads()
	}
	return r.ended(tool.call(ctx, r))
}

// Lookup implements [agent.Provider]. A meta-tool has looked up all that can be
// by the time that its call ends.
func (m *Market) Lookup(ctx context.Context, call agent.Call) (agent.Result, bool) {
	if call.Server != agent.OwnServer {
		return m.cfg.Provider.Lookup(ctx, call)
	}
	return agent.Result{}, false
}

func refusal(code, message string) agent.Result {
	return agent.Result{Status: events.ToolRefused, Fault: &events.ToolFault{Code: code, Message: message}}
}
