package agent_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// replies is a model that reads its answers from a list.
type replies struct {
	mu      sync.Mutex
	list    []func(context.Context) (agent.Reply, error)
	prompts []agent.Prompt
}

func (m *replies) Reply(ctx context.Context, prompt agent.Prompt, _ func(string)) (agent.Reply, error) {
	m.mu.Lock()
	m.prompts = append(m.prompts, prompt)
	next := m.list[0]
	m.list = m.list[1:]
	m.mu.Unlock()
	return next(ctx)
}

func says(text string, calls ...events.ToolCall) func(context.Context) (agent.Reply, error) {
	return func(context.Context) (agent.Reply, error) {
		return agent.Reply{Model: "scripted", Text: text, ToolCalls: calls, Usage: events.TokenUsage{InputTokens: 10, OutputTokens: 5}}, nil
	}
}

func fails(err error) func(context.Context) (agent.Reply, error) {
	return func(context.Context) (agent.Reply, error) { return agent.Reply{}, err }
}

// shop is a catalogue and provider of a few tools.
type shop struct {
	mu     sync.Mutex
	own    string // a tool of Feira's own that there is
	sent   []agent.Call
	looked []agent.Call
	call   func(context.Context, agent.Call) agent.Result
	lookup func(agent.Call) (agent.Result, bool)
}

func (s *shop) Tools(_ context.Context, reach agent.Reach) []agent.Tool {
	var tools []agent.Tool
	for _, server := range reach.Servers {
		tools = append(tools, agent.Tool{Name: agent.ToolName(server, "get_balance"), Parameters: json.RawMessage(`{"type":"object"}`)})
	}
	return tools
}

func (s *shop) Safety(_ context.Context, _ agent.Reach, _, tool string) (agent.Safety, bool) {
	switch tool {
	case "get_balance":
		return agent.SafetyRead, true
	case "create_payment_intent":
		return agent.SafetyKeyed, true
	case "create_payment":
		return agent.SafetyUnsafe, true
	case s.own:
		return agent.SafetyRead, true
	default:
		return "", false
	}
}

func (s *shop) Call(ctx context.Context, call agent.Call) agent.Result {
	s.mu.Lock()
	s.sent = append(s.sent, call)
	s.mu.Unlock()
	if s.call != nil {
		return s.call(ctx, call)
	}
	return agent.Result{Status: events.ToolOK, Output: `{"ok":true}`, Attempts: 1}
}

func (s *shop) Lookup(_ context.Context, call agent.Call) (agent.Result, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = append(s.looked, call)
	if s.lookup != nil {
		return s.lookup(call)
	}
	return agent.Result{}, false
}

// pages is a journal kept in memory, folded like the real one.
type pages struct {
	mu      sync.Mutex
	state   *session.State
	request events.RequestID
	log     []events.Event
}

func (p *pages) Turn() *session.Turn {
	turn, _ := p.state.Turn(p.request)
	return turn
}

func (p *pages) Append(ctx context.Context, event events.Event) error {
	return p.Decide(ctx, func() events.Event { return event })
}

func (p *pages) Decide(_ context.Context, decide func() events.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	event := decide()
	if err := event.Validate(); err != nil {
		return err
	}
	p.log = append(p.log, event)
	return p.state.Apply(events.Record{
		Sequence: p.state.Last + 1, Event: event,
		Envelope: events.Envelope{Request: p.request, Type: event.EventType(), Time: time.Now()},
	})
}

func (p *pages) returned() []*events.ToolReturned {
	var list []*events.ToolReturned
	for _, event := range p.log {
		if returned, ok := event.(*events.ToolReturned); ok {
			list = append(list, returned)
		}
	}
	slices.SortFunc(list, func(a, b *events.ToolReturned) int {
		if a.Iteration != b.Iteration {
			return a.Iteration - b.Iteration
		}
		return a.Index - b.Index
	})
	return list
}

type testBundle struct {
	model *replies
	shop  *shop
	pages *pages
	scope agent.Scope
	grace time.Duration
	// testMode is the operator's flag.
	testMode bool
	request  *events.TurnStarted
}

func setup(t *testing.T, list ...func(context.Context) (agent.Reply, error)) *testBundle {
	t.Helper()
	state := session.New("tenant_acme", "ses_1")
	customer := tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe", "asaas"}}.WithDefaults()
	b := &testBundle{
		model: &replies{list: list}, shop: &shop{}, pages: &pages{state: state, request: "req_1"},
		scope:   agent.Scope{Tenant: customer, State: state},
		request: &events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w1", Message: "hello", RequestSequence: 7},
	}
	require.NoError(t, b.pages.Append(t.Context(), &events.SessionOpened{Servers: customer.Servers, Environment: events.EnvironmentTest}))
	return b
}

func (b *testBundle) run(ctx context.Context, t *testing.T) (*events.TurnCompleted, error) {
	t.Helper()
	loop, err := agent.New(agent.Config{Model: b.model, Catalogue: b.shop, Provider: b.shop, Grace: b.grace, TestMode: b.testMode})
	require.NoError(t, err)
	require.NoError(t, b.pages.Append(t.Context(), b.request))
	return loop.Run(ctx, b.scope, b.pages)
}

func tool(id, name, arguments string) events.ToolCall {
	return events.ToolCall{ID: id, Name: name, Arguments: arguments}
}

func codes(list []*events.ToolReturned) string {
	var out []string
	for _, returned := range list {
		if returned.Error != nil {
			out = append(out, returned.Error.Code)
			continue
		}
		out = append(out, string(returned.Status))
	}
	return strings.Join(out, " ")
}
