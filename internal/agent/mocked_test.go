package agent_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/mock"
)

// mocked is a bundle whose session was opened with mocks.
func mocked(t *testing.T, mocks string, list ...func(context.Context) (agent.Reply, error)) *testBundle {
	t.Helper()
	b := setup(t, list...)
	require.NoError(t, b.pages.Append(t.Context(), &events.SessionOpened{
		Servers: []string{"stripe", "asaas"}, Environment: events.EnvironmentTest, Mocks: json.RawMessage(mocks),
	}))
	return b
}

// What a model is told of a call that mocks answer, byte for byte.
func TestMocksAnswer(t *testing.T) {
	t.Parallel()
	const (
		mocks     = `{"asaas/create_payment":{"id":"pay_1","value":1.50},"asaas/get_payment":[{"n":1},{"n":2}],"codespar_charge":{"id":"ch_1"},"codespar_list_tools":{"never":1}}`
		notMocked = ` has no matching mock in this session; declare a mock entry or omit the mocks field"},"status":"error"}`
	)
	for name, test := range map[string]struct {
		calls []events.ToolCall
		want  []string // texts that the model reads
	}{
		"an object, each time": {
			[]events.ToolCall{tool("a", "asaas__create_payment", `{}`), tool("b", "asaas__create_payment", `{"x":1}`)},
			[]string{`{"id":"pay_1","value":1.50}`, `{"id":"pay_1","value":1.50}`},
		},
		"a list, in the order of the calls": {
			[]events.ToolCall{tool("a", "asaas__get_payment", `{}`), tool("b", "asaas/get_payment", `{}`), tool("c", "asaas__get_payment", `{}`)},
			[]string{`{"n":1}`, `{"n":2}`, `{"error":{"code":"mocks_exhausted","message":"mock store exhausted for tool asaas/get_payment after 2 calls"},"status":"error"}`},
		},
		"a meta-tool":          {[]events.ToolCall{tool("a", "codespar_charge", `{}`)}, []string{`{"id":"ch_1"}`}},
		"a meta-tool, not one": {[]events.ToolCall{tool("a", "codespar_pay", `{}`)}, []string{`{"error":{"code":"tool_not_mocked","message":"tool codespar_pay` + notMocked}},
		"a known tool, not one": {
			[]events.ToolCall{tool("a", "stripe__get_balance", `{}`)},
			[]string{`{"error":{"code":"tool_not_mocked","message":"tool stripe/get_balance` + notMocked},
		},
		"a tool of nobody's": {
			[]events.ToolCall{tool("a", "asaas__get_paymnet", `{}`)},
			[]string{`{"error":{"code":"tool_not_mocked","message":"tool asaas/get_paymnet` + notMocked},
		},
		"a meta-tool's name behind a separator": {
			[]events.ToolCall{tool("a", "codespar__charge", `{}`)},
			[]string{`{"error":{"code":"tool_not_mocked","message":"tool codespar/charge` + notMocked},
		},
		"behind the walls: server": {
			[]events.ToolCall{tool("a", "z-api__send_text", `{}`)},
			[]string{`{"error":{"code":"server_not_in_session","message":"server \"z-api\" is not connected to this session; it has stripe, asaas"},"status":"refused"}`},
		},
		"behind the walls: arguments": {
			[]events.ToolCall{tool("a", "asaas__get_payment", `null`), tool("b", "asaas__get_payment", `{}`)},
			[]string{`{"error":{"code":"invalid_arguments","message":"arguments are no JSON object"},"status":"refused"}`, `{"n":1}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := mocked(t, mocks, says("", test.calls...), says("done"))
			end, err := b.run(t.Context(), t)
			require.NoError(t, err)
			require.Equal(t, events.TurnCompletedOK, end.Status)
			var read []string
			for _, message := range b.model.prompts[1].Messages {
				if message.Role != agent.RoleTool {
					continue
				}
				if answer, quoted := agent.Quoted(message.Text); quoted {
					message.Text = answer
				}
				read = append(read, message.Text)
			}
			require.Equal(t, test.want, read)
			require.Empty(t, b.shop.sent, "a session with mocks reaches nobody")
			require.Empty(t, b.shop.looked)
			for _, returned := range b.pages.returned() {
				require.Zero(t, returned.Attempts)
				require.Equal(t, returned.Status != events.ToolRefused, returned.Mock != nil)
			}
		})
	}
}

// Names at the limit are answered; above it the wall stands before the mocks,
// or an event could not hold a fault that repeats the name.
func TestNamesOfToolsAreBounded(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{255: "ok", 256: "ok", 257: events.FaultUnknownTool} {
		name := strings.Repeat("n", size)
		b := mocked(t, `{"asaas/`+name+`":{}}`, says("", tool("a", "asaas__"+name, `{}`)), says("done"))
		_, err := b.run(t.Context(), t)
		require.NoError(t, err)
		require.Equal(t, want, codes(b.pages.returned()))
	}
}

func TestBuiltInToolsPassTheMocksBy(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"codespar_list_tools", "codespar_discover", "codespar_manage_connections"} {
		b := mocked(t, `{"`+name+`":{"mocked":true}}`, says("", tool("a", name, `{}`)), says("done"))
		b.shop.own = name
		_, err := b.run(t.Context(), t)
		require.NoError(t, err)
		require.Len(t, b.shop.sent, 1)
		require.True(t, b.shop.sent[0].Reach.Mocked, "whoever answers it is to ask nobody outside")
		require.JSONEq(t, `{"ok":true}`, b.pages.returned()[0].Output)
		require.Nil(t, b.pages.returned()[0].Mock)
	}
}

// In test mode a session of environment test reaches nobody, whether it has
// mocks or not; a session with mocks reaches nobody whatever the flag says; one
// of environment live has no mocks and goes on.
func TestTestMode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		testMode    bool
		environment events.Environment
		mocks       string
		want        string
	}{
		"off, no mocks":         {false, events.EnvironmentTest, ``, "ok"},
		"off since, mocks":      {false, events.EnvironmentTest, `{}`, events.FaultToolNotMocked},
		"off since, live mocks": {false, events.EnvironmentLive, `{}`, events.FaultToolNotMocked},
		"off since, null":       {false, events.EnvironmentTest, `null`, events.FaultMocksEngine},
		"off since, unreadable": {false, events.EnvironmentTest, `{"BAD":1}`, events.FaultMocksEngine},
		"on, no mocks":          {true, events.EnvironmentTest, ``, events.FaultToolNotMocked},
		"on, mocks":             {true, events.EnvironmentTest, `{"stripe/get_balance":{}}`, "ok"},
		"on, live, no mocks":    {true, events.EnvironmentLive, ``, "ok"},
		"on, unreadable":        {true, events.EnvironmentTest, `[]`, events.FaultMocksEngine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, says("", tool("a", "stripe__get_balance", `{}`)), says("done"))
			b.testMode = test.testMode
			b.scope.State.Environment = test.environment
			if test.mocks != "" {
				b.scope.State.Mocks = mock.Read([]byte(test.mocks))
			}
			_, err := b.run(t.Context(), t)
			require.NoError(t, err)
			require.Equal(t, test.want, codes(b.pages.returned()))
			sent := test.mocks == "" && test.want == "ok"
			require.Equal(t, sent, len(b.shop.sent) == 1)
			require.Equal(t, sent, b.pages.returned()[0].Mock == nil)
		})
	}
}

// A call of an earlier owner that mocks answer is in no doubt: it went nowhere,
// and what it was answered stands in the log or was not given.
func TestMocksKnowNoDoubt(t *testing.T) {
	t.Parallel()
	b := mocked(t, `{"asaas/create_payment":[{"n":1},{"n":2}]}`, says("done"))
	require.NoError(t, b.pages.Append(t.Context(), b.request))
	require.NoError(t, b.pages.Append(t.Context(), &events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{
		tool("a", "asaas__create_payment", `{}`), tool("b", "asaas__create_payment", `{}`),
	}}))
	require.NoError(t, b.pages.Append(t.Context(), &events.ToolReturned{
		Iteration: 1, Index: 0, Status: events.ToolOK, Output: `{"n":1}`, Mock: &events.MockAnswer{Tool: "asaas/create_payment", Index: 1},
	}))
	b.request = &events.TurnStarted{Kind: events.KindTurn, Attempt: 2, Worker: "w2", RequestSequence: 7}
	_, err := b.run(t.Context(), t)
	require.NoError(t, err)
	returned := b.pages.returned()
	require.Len(t, returned, 2)
	require.Equal(t, `{"n":2}`, returned[1].Output)
	require.Empty(t, b.shop.sent)
	require.Empty(t, b.shop.looked)
}
