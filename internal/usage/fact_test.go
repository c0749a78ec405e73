package usage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

func noon() time.Time { return time.Date(2026, time.November, 23, 12, 0, 0, 123_456_789, time.UTC) }

func record(event events.Event) events.Record {
	return events.Record{
		Envelope: events.Envelope{
			ID: "req_1/tool/1.0", Source: "/tenants/acme/sessions/ses_1", Type: event.EventType(), Time: noon(),
			Tenant: "acme", Session: "ses_1", Request: "req_1", Trace: "00-1-2-01",
		},
		Event: event, Sequence: 7,
	}
}

func toolReturned(status events.ToolStatus) *events.ToolReturned {
	event := &events.ToolReturned{
		Iteration: 1, CallID: "call_1", Name: "asaas__create_payment", Server: "asaas", Tool: "create_payment",
		Status: status, Output: `{"secret":"x"}`, Attempts: 2, DurationMS: 412,
	}
	if status != events.ToolOK {
		event.Error = &events.ToolFault{Code: events.FaultProviderError, Message: "no"}
	}
	return event
}

func facts() usage.SessionFacts {
	return usage.SessionFacts{
		Environment: events.EnvironmentLive,
		Metadata:    map[string]string{"tenant_id": "acme", "plan": "gold"},
		Request:     map[string]string{"plan": "trial", "order": "9"},
	}
}

func TestToolCallIsOneUsageEvent(t *testing.T) {
	t.Parallel()
	env, event, ok := usage.FromRecord(record(toolReturned(events.ToolOK)), facts())
	require.True(t, ok)
	require.Empty(t, cmp.Diff(events.Envelope{
		ID: "req_1/tool/1.0", Source: "/tenants/acme/sessions/ses_1", Type: events.TypeUsageRecorded, Time: noon(),
		Tenant: "acme", Session: "ses_1", Request: "req_1", Trace: "00-1-2-01",
	}, env))
	require.Empty(t, cmp.Diff(&events.UsageRecorded{
		Meter: events.MeterToolCall, Session: "ses_1", Request: "req_1", Server: "asaas", Tool: "create_payment",
		Outcome: "ok", Billable: true, Environment: events.EnvironmentLive,
		Quantities: []events.Quantity{{Unit: events.UnitCall, Amount: "1"}}, Attempts: 2, DurationMS: 412,
		Metadata: map[string]string{"tenant_id": "acme", "plan": "trial", "order": "9"},
	}, event))
}

func TestOnlyWhatWasRefusedIsFree(t *testing.T) {
	t.Parallel()
	for status, billable := range map[events.ToolStatus]bool{
		events.ToolOK: true, events.ToolError: true, events.ToolUnknown: true, events.ToolRefused: false,
	} {
		_, event, ok := usage.FromRecord(record(toolReturned(status)), facts())
		require.True(t, ok)
		require.Equal(t, billable, event.Billable, status)
		require.Equal(t, string(status), event.Outcome)
	}
}

// What mocks answered has reached nobody: it is counted, and costs nothing.
func TestMockedCallsAreFree(t *testing.T) {
	t.Parallel()
	for _, status := range []events.ToolStatus{events.ToolOK, events.ToolError} {
		event := toolReturned(status)
		event.Mock = &events.MockAnswer{Tool: "asaas/create_payment"}
		_, recorded, ok := usage.FromRecord(record(event), facts())
		require.True(t, ok)
		require.False(t, recorded.Billable, status)
		require.Equal(t, []events.Quantity{{Unit: events.UnitCall, Amount: "1"}}, recorded.Quantities)
	}
}

func TestModelReplyCountsItsTokens(t *testing.T) {
	t.Parallel()
	_, event, ok := usage.FromRecord(record(&events.ModelReplied{
		Iteration: 1, Model: "small", Text: "private", Usage: events.TokenUsage{InputTokens: 321, OutputTokens: 0}, DurationMS: 9,
	}), usage.SessionFacts{Environment: events.EnvironmentTest})
	require.True(t, ok)
	require.Empty(t, cmp.Diff(&events.UsageRecorded{
		Meter: events.MeterModelReply, Session: "ses_1", Request: "req_1", Model: "small", Outcome: "ok", Billable: true,
		Environment: events.EnvironmentTest, Attempts: 1, DurationMS: 9,
		Quantities: []events.Quantity{{Unit: events.UnitInputToken, Amount: "321"}, {Unit: events.UnitOutputToken, Amount: "0"}},
	}, event))
}

func TestNothingElseIsMetered(t *testing.T) {
	t.Parallel()
	for _, event := range events.Catalogue() {
		_, _, ok := usage.FromRecord(record(event), facts())
		switch event.(type) {
		case *events.ToolReturned, *events.ModelReplied:
			require.True(t, ok, event.EventType())
		default:
			require.False(t, ok, event.EventType())
		}
	}
}

// hostile texts are what a model, a caller or a provider may make up.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"", "\x00", "a\x00b", "\xff\xfe", strings.Repeat("é", 300), strings.Repeat("x", 5000), "\u2028", `"},{`}),
	)
}

// Whatever a fact holds, its usage event is booked: the ledger's border never
// turns away what the meter made.
func TestEveryFactBecomesARow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var event events.Event
		if rapid.Bool().Draw(t, "tool") {
			made := toolReturned(rapid.SampledFrom([]events.ToolStatus{events.ToolOK, events.ToolError, events.ToolRefused, events.ToolUnknown}).Draw(t, "status"))
			made.Server, made.Tool = hostile().Draw(t, "server"), hostile().Draw(t, "tool")
			made.Attempts, made.DurationMS = rapid.IntRange(-5, 100).Draw(t, "attempts"), rapid.Int64Range(-5, 1e9).Draw(t, "duration")
			event = made
		} else {
			event = &events.ModelReplied{Iteration: 1, Model: hostile().Draw(t, "model"), Usage: events.TokenUsage{
				InputTokens: rapid.Int64Range(0, usage.MaxAmount).Draw(t, "input"), OutputTokens: rapid.Int64Range(0, usage.MaxAmount).Draw(t, "output"),
			}}
		}
		fact := record(event)
		fact.ID = hostile().Draw(t, "id") + "!"
		session := facts()
		session.Metadata = rapid.MapOf(hostile(), hostile()).Draw(t, "metadata")
		env, recorded, ok := usage.FromRecord(fact, session)
		require.True(t, ok)
		message, err := events.Encode(events.UsageSubject(fact.Tenant, recorded.Meter), env, recorded)
		require.NoError(t, err)
		row, err := usage.ReadRow(message)
		require.NoError(t, err)
		require.Equal(t, env.ID, row.Event)
		require.Len(t, row.Quantities, len(recorded.Quantities))

		// Metering it again makes the same bytes.
		envAgain, again, _ := usage.FromRecord(fact, session)
		repeated, err := events.Encode(events.UsageSubject(fact.Tenant, again.Meter), envAgain, again)
		require.NoError(t, err)
		require.Equal(t, message, repeated)
		require.Equal(t, usage.MessageID(env), usage.MessageID(envAgain))
	})
}

// Metadata that fits only until its bytes are made text for the wire is cut too.
func TestMetadataIsMeasuredAsItTravels(t *testing.T) {
	t.Parallel()
	for bytes, kept := range map[int]int{usage.MaxMetadata/3 - 1: 1, usage.MaxMetadata / 3: 0} {
		session := facts()
		session.Metadata, session.Request = map[string]string{"kk": strings.Repeat("\xff", bytes)}, nil
		fact := record(toolReturned(events.ToolOK))
		env, recorded, ok := usage.FromRecord(fact, session)
		require.True(t, ok)
		message, err := events.Encode(events.UsageSubject(fact.Tenant, recorded.Meter), env, recorded)
		require.NoError(t, err)
		row, err := usage.ReadRow(message)
		require.NoError(t, err)
		require.Len(t, row.Metadata, kept)
	}
}

func TestLongIDsStayApart(t *testing.T) {
	t.Parallel()
	a, b := record(toolReturned(events.ToolOK)), record(toolReturned(events.ToolOK))
	a.ID, b.ID = strings.Repeat("x", 600)+"a", strings.Repeat("x", 600)+"b"
	first, _, _ := usage.FromRecord(a, facts())
	second, _, _ := usage.FromRecord(b, facts())
	require.NotEqual(t, first.ID, second.ID)
}

func TestMessageIDsOfTenantsAndSessionsStayApart(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, tenant := range []events.TenantID{"acme", "loja"} {
		for _, session := range []events.SessionID{"ses_1", "ses_2"} {
			fact := record(toolReturned(events.ToolOK))
			fact.Tenant, fact.Session = tenant, session
			env, _, _ := usage.FromRecord(fact, facts())
			id := usage.MessageID(env)
			require.True(t, strings.HasPrefix(id, string(tenant)+":"))
			require.False(t, seen[id])
			seen[id] = true
		}
	}
}
