package usage_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

func usageMessage(tb testing.TB) events.Message {
	tb.Helper()
	env, event, ok := usage.FromRecord(record(toolReturned(events.ToolOK)), facts())
	require.True(tb, ok)
	message, err := events.Encode(events.UsageSubject("acme", event.Meter), env, event)
	require.NoError(tb, err)
	message.Sequence, message.Time = 42, noon().Add(time.Second)
	return message
}

// change rewrites fields of the message's body.
func change(tb testing.TB, message events.Message, field string, value any) events.Message {
	tb.Helper()
	var body map[string]any
	require.NoError(tb, json.Unmarshal(message.Data, &body))
	body[field] = value
	data, err := json.Marshal(body)
	require.NoError(tb, err)
	message.Data = data
	return message
}

func TestReadRowTakesTheTenantOfTheSubject(t *testing.T) {
	t.Parallel()
	message := usageMessage(t)
	delete(message.Header, events.HeaderTenant)
	delete(message.Header, events.HeaderSubject)
	row, err := usage.ReadRow(message)
	require.NoError(t, err)
	require.Equal(t, usage.ID{Tenant: "acme", Source: "/tenants/acme/sessions/ses_1", Event: "req_1/tool/1.0"}, row.ID)
	require.Equal(t, uint64(42), row.Sequence)
	require.True(t, noon().Equal(row.OccurredAt))
	require.True(t, message.Time.Equal(row.ReceivedAt))
}

func TestRejections(t *testing.T) {
	t.Parallel()
	header := func(key, value string) func(*testing.T, events.Message) events.Message {
		return func(_ *testing.T, message events.Message) events.Message {
			message.Header.Set(key, value)
			return message
		}
	}
	body := func(field string, value any) func(*testing.T, events.Message) events.Message {
		return func(t *testing.T, message events.Message) events.Message {
			t.Helper()
			return change(t, message, field, value)
		}
	}
	subject := func(subject string) func(*testing.T, events.Message) events.Message {
		return func(_ *testing.T, message events.Message) events.Message {
			message.Subject = subject
			return message
		}
	}
	quantity := func(unit, amount string) map[string]string { return map[string]string{"unit": unit, "amount": amount} }
	for name, row := range map[string]struct {
		change func(*testing.T, events.Message) events.Message
		reason usage.Reason
		detail string
	}{
		"no tenant in subject":   {subject("other.subject"), usage.ReasonUnknownTenant, "subject"},
		"illegal tenant":         {subject("feira.usage.a$b.tool_call"), usage.ReasonUnknownTenant, "tenant"},
		"other tenant's header":  {header(events.HeaderTenant, "loja"), usage.ReasonMismatch, events.HeaderTenant},
		"other ce-subject":       {header(events.HeaderSubject, "loja"), usage.ReasonMismatch, events.HeaderSubject},
		"other tenant's source":  {header(events.HeaderSource, "/tenants/loja/sessions/ses_1"), usage.ReasonMismatch, events.HeaderSource},
		"other session's header": {header(events.HeaderSessionID, "ses_2"), usage.ReasonMismatch, events.HeaderSessionID},
		"other meter's subject":  {subject("feira.usage.acme.model_reply"), usage.ReasonMismatch, "meter"},
		"other stream's subject": {subject("feira.sessions.acme.tool_call"), usage.ReasonMismatch, "subject"},
		"no source":              {header(events.HeaderSource, ""), usage.ReasonInvalid, events.HeaderSource},
		"no id":                  {header(events.HeaderID, ""), usage.ReasonMalformed, events.HeaderID},
		"long id":                {header(events.HeaderID, strings.Repeat("x", 513)), usage.ReasonInvalid, "id"},
		"no time":                {header(events.HeaderTime, ""), usage.ReasonMalformed, events.HeaderTime},
		"year 9999":              {header(events.HeaderTime, "9999-01-01T00:00:00Z"), usage.ReasonInvalid, events.HeaderTime},
		"unknown type":           {header(events.HeaderType, "feira.usage.recorded.v2"), usage.ReasonUnknownType, "v2"},
		"other event":            {header(events.HeaderType, string(events.TypeSessionClosed)), usage.ReasonUnknownType, "usage"},
		"not JSON": {func(_ *testing.T, message events.Message) events.Message {
			message.Data = []byte("{")
			return message
		}, usage.ReasonMalformed, "data"},
		"no quantities":       {body("quantities", []any{}), usage.ReasonInvalid, "quantities"},
		"float amount":        {body("quantities", []any{map[string]any{"unit": "call", "amount": 1.5}}), usage.ReasonMalformed, "amount"},
		"negative amount":     {body("quantities", []any{quantity("call", "-1")}), usage.ReasonQuantity, "quantities[0]"},
		"huge exponent":       {body("quantities", []any{quantity("call", "1e1000000000")}), usage.ReasonQuantity, "quantities[0]"},
		"unit twice":          {body("quantities", []any{quantity("call", "1"), quantity("call", "1")}), usage.ReasonQuantity, "twice"},
		"unit with NUL":       {body("quantities", []any{quantity("a\x00", "1")}), usage.ReasonQuantity, "unit"},
		"no environment":      {body("environment", ""), usage.ReasonEnvironment, "environment"},
		"other environment":   {body("environment", "staging"), usage.ReasonEnvironment, "staging"},
		"NUL in a text":       {body("tool", "a\x00b"), usage.ReasonInvalid, "tool"},
		"long text":           {body("model", strings.Repeat("x", 257)), usage.ReasonInvalid, "model"},
		"negative duration":   {body("duration_ms", -1), usage.ReasonInvalid, "duration_ms"},
		"negative attempts":   {body("attempts", -1), usage.ReasonInvalid, "attempts"},
		"much metadata":       {body("metadata", map[string]string{"a": strings.Repeat("x", 17<<10)}), usage.ReasonInvalid, "metadata"},
		"meter of two tokens": {body("meter", "a.b"), usage.ReasonInvalid, "meter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := usageMessage(t)
			bad := row.change(t, usageMessage(t))
			batch := usage.ReadBatch([]events.Message{good, bad, good})
			require.Len(t, batch.Rows, 2, "the others are booked")
			require.Len(t, batch.Rejected, 1)
			require.Equal(t, row.reason, batch.Rejected[0].Reason, batch.Rejected[0].Detail)
			require.Contains(t, batch.Rejected[0].Detail, row.detail)
			require.Equal(t, bad, batch.Rejected[0].Message)

			_, err := usage.ReadRow(bad)
			var said *usage.RejectionError
			require.ErrorAs(t, err, &said)
		})
	}
}

// Two messages that say the same have one hash, whatever the layout of their
// JSON and whenever they came; each field that is said is part of it.
func TestHashIsOfWhatIsSaid(t *testing.T) {
	t.Parallel()
	message := usageMessage(t)
	row, err := usage.ReadRow(message)
	require.NoError(t, err)

	same := change(t, message, "field_of_a_later_version", "x") // also orders the keys
	same.Sequence, same.Time = 99, noon().Add(time.Hour)
	rowAgain, err := usage.ReadRow(same)
	require.NoError(t, err)
	require.Equal(t, row.Hash(), rowAgain.Hash())

	seen := map[usage.Hash]string{row.Hash(): "the row"}
	for name, edit := range map[string]func(*usage.Row){
		"tenant":      func(r *usage.Row) { r.Tenant = "x" },
		"source":      func(r *usage.Row) { r.Source = "x" },
		"event":       func(r *usage.Row) { r.Event = "x" },
		"meter":       func(r *usage.Row) { r.Meter = "x" },
		"session":     func(r *usage.Row) { r.Session = "x" },
		"request":     func(r *usage.Row) { r.Request = "x" },
		"server":      func(r *usage.Row) { r.Server = "x" },
		"tool":        func(r *usage.Row) { r.Tool = "x" },
		"moved text":  func(r *usage.Row) { r.Server, r.Tool = r.Server+r.Tool[:1], r.Tool[1:] },
		"model":       func(r *usage.Row) { r.Model = "x" },
		"outcome":     func(r *usage.Row) { r.Outcome = "x" },
		"billable":    func(r *usage.Row) { r.Billable = false },
		"environment": func(r *usage.Row) { r.Environment = events.EnvironmentTest },
		"amount":      func(r *usage.Row) { r.Quantities = []usage.Quantity{{Unit: "call", Amount: usage.WholeAmount(2)}} },
		"unit":        func(r *usage.Row) { r.Quantities = []usage.Quantity{{Unit: "x", Amount: usage.WholeAmount(1)}} },
		"attempts":    func(r *usage.Row) { r.Attempts++ },
		"duration":    func(r *usage.Row) { r.Duration += time.Millisecond },
		"occurred":    func(r *usage.Row) { r.OccurredAt = r.OccurredAt.Add(1) },
		"metadata":    func(r *usage.Row) { r.Metadata = map[string]string{"tenant_id": "x"} },
		"no metadata": func(r *usage.Row) { r.Metadata = nil },
	} {
		edited := row
		edit(&edited)
		other, taken := seen[edited.Hash()]
		require.False(t, taken, "%s hashes like %s", name, other)
		seen[edited.Hash()] = name
	}
}

// FuzzReadRow holds the border to its word: anything is a row or a rejection,
// and a row is fit for a ledger.
func FuzzReadRow(f *testing.F) {
	message := usageMessage(f)
	f.Add(message.Subject, message.Header.Value(events.HeaderID), message.Header.Value(events.HeaderTime), message.Data)
	f.Add("feira.usage.acme.tool_call", "a\x00b", "2026-11-23T12:00:00Z", []byte(`{"meter":"tool_call","quantities":[{"unit":"call","amount":"1e9"}]}`))
	f.Fuzz(func(t *testing.T, subject, id, at string, data []byte) {
		message := usageMessage(t)
		message.Subject, message.Data = subject, data
		message.Header.Set(events.HeaderID, id)
		message.Header.Set(events.HeaderTime, at)
		batch := usage.ReadBatch([]events.Message{message})
		require.Equal(t, 1, len(batch.Rows)+len(batch.Rejected))
		for _, row := range batch.Rows {
			require.NotEmpty(t, row.Tenant)
			require.NotContains(t, row.Event+row.Source+row.Server+row.Tool+row.Model, "\x00")
			require.NotEmpty(t, row.Quantities)
		}
		for _, rejected := range batch.Rejected {
			require.NotEmpty(t, rejected.Reason)
			require.NotEmpty(t, rejected.Detail)
			require.LessOrEqual(t, len(rejected.Detail), 512)
		}
	})
}
