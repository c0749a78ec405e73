package commerce_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/tenant"
)

// stand is a catalogue and provider whose answers are written down by tool.
type stand struct {
	tools   map[string]agent.Safety // by name
	answers map[string]string
	results map[string]agent.Result
	sent    []agent.Call
	looked  []agent.Call
	lookup  func(agent.Call) (agent.Result, bool)
	breaks  string // the tool whose client breaks down
}

func newStand() *stand {
	return &stand{
		tools: map[string]agent.Safety{
			"asaas__list_customers": agent.SafetyRead, "asaas__create_customer": agent.SafetyUnsafe, "asaas__create_payment": agent.SafetyUnsafe,
			"asaas__get_pix_qrcode": agent.SafetyRead, "asaas__create_transfer": agent.SafetyUnsafe, "asaas__list_transfers": agent.SafetyRead,
			"stripe__create_customer": agent.SafetyKeyed, "stripe__create_payment_intent": agent.SafetyKeyed, "stripe__create_checkout_session": agent.SafetyKeyed,
			"correios__create_prepost": agent.SafetyUnsafe, "melhor-envio__create_shipment": agent.SafetyUnsafe,
			"nuvem-fiscal__create_nfse": agent.SafetyUnsafe, "z-api__send_text": agent.SafetyUnsafe, "z-api__check_number": agent.SafetyRead,
		},
		answers: map[string]string{
			"asaas__list_customers": `{"data":[]}`, "asaas__create_customer": `{"id":"cus_1"}`, "asaas__create_payment": `{"id":"pay_1","status":"PENDING"}`,
			"asaas__get_pix_qrcode": `{"payload":"000201","encodedImage":"aGk="}`, "asaas__create_transfer": `{"id":"tra_1","status":"DONE"}`,
			"stripe__create_customer": `{"id":"cus_s"}`, "stripe__create_payment_intent": `{"id":"pi_1","status":"requires_payment_method"}`,
			"stripe__create_checkout_session": `{"id":"cs_1","status":"open","url":"https://checkout.example/cs_1"}`,
			"z-api__check_number":             `{"exists":true}`, "z-api__send_text": `{"messageId":"m1"}`,
		},
		results: map[string]agent.Result{},
	}
}

func (s *stand) Tools(_ context.Context, reach agent.Reach) []agent.Tool {
	var tools []agent.Tool
	for _, server := range reach.Servers {
		var names []string
		for name := range s.tools {
			if strings.HasPrefix(name, server+"__") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			tools = append(tools, agent.Tool{Name: name, Description: "Does " + name + ". And more.", Parameters: json.RawMessage(`{"type":"object"}`)})
		}
	}
	return tools
}

func (s *stand) Safety(_ context.Context, _ agent.Reach, server, tool string) (agent.Safety, bool) {
	safety, ok := s.tools[agent.ToolName(server, tool)]
	return safety, ok
}

func (s *stand) Call(_ context.Context, call agent.Call) agent.Result {
	s.sent = append(s.sent, call)
	name := agent.ToolName(call.Server, call.Tool)
	if name == s.breaks {
		panic("broken")
	}
	if result, ok := s.results[name]; ok {
		return result
	}
	return agent.Result{Status: events.ToolOK, Output: s.answers[name], Attempts: 1}
}

func (s *stand) Lookup(_ context.Context, call agent.Call) (agent.Result, bool) {
	s.looked = append(s.looked, call)
	if s.lookup == nil {
		return agent.Result{}, false
	}
	return s.lookup(call)
}

// sentTo are the names of the tools that were called.
func (s *stand) sentTo() []string {
	var names []string
	for _, call := range s.sent {
		names = append(names, agent.ToolName(call.Server, call.Tool))
	}
	return names
}

// park is a directory and the connections of one tenant.
type park struct {
	servers []commerce.Server
	held    map[string]time.Time
	asked   []events.Environment
	broken  bool
}

func (p *park) Servers() []commerce.Server { return p.servers }

func (p *park) Connected(_ context.Context, _ events.TenantID, env events.Environment) (map[string]time.Time, error) {
	p.asked = append(p.asked, env)
	if p.broken {
		return nil, errors.New("vault: secret-of-the-house")
	}
	return p.held, nil
}

type testBundle struct {
	stand  *stand
	park   *park
	market *commerce.Market
	call   agent.Call
}

func setup(t *testing.T, servers ...string) *testBundle {
	t.Helper()
	b := &testBundle{stand: newStand(), park: &park{held: map[string]time.Time{}}}
	made, err := commerce.New(commerce.Config{
		Catalogue: b.stand, Provider: b.stand, Directory: b.park, Connections: b.park,
		Now: func() time.Time { return time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC) }, // still the 1st in Brasília
	})
	require.NoError(t, err)
	b.market = made
	b.call = agent.Call{
		Tenant: "loja", Session: "ses_1", Request: "req_1", Environment: events.EnvironmentTest, Server: agent.OwnServer, Key: "feira_key",
		Reach: agent.Reach{
			Tenant: tenant.Tenant{ID: "loja", Servers: servers}.WithDefaults(), Session: "ses_1", Environment: events.EnvironmentTest, Servers: servers, Opened: servers,
		},
	}
	return b
}

func (b *testBundle) do(t *testing.T, tool, arguments string) agent.Result {
	t.Helper()
	call := b.call
	call.Tool, call.Arguments = tool, json.RawMessage(arguments)
	return b.market.Call(t.Context(), call)
}

// ok decodes a good answer.
func (b *testBundle) ok(t *testing.T, tool, arguments string, into any) {
	t.Helper()
	result := b.do(t, tool, arguments)
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
	require.NoError(t, json.Unmarshal([]byte(result.Output), into))
}
