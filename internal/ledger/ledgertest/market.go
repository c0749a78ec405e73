package ledgertest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

// Noon is in the middle of a day of the default zone.
func Noon() time.Time { return time.Date(2026, time.November, 23, 15, 0, 0, 0, time.UTC) }

// ToolCall is the usage message of a tool call: the n-th of its session.
func ToolCall(t require.TestingT, tenant events.TenantID, session events.SessionID, n int) events.Message {
	record := events.Record{Envelope: envelope(tenant, session, n), Event: &events.ToolReturned{
		Index: n, Server: []string{"asaas", "stripe", "correios"}[n%3], Tool: []string{"create_payment", "quote"}[n%2],
		Status: events.ToolOK, Attempts: 1, DurationMS: int64(n),
	}}
	return message(t, record)
}

// ModelReply is the usage message of a model's reply: the n-th of its session.
func ModelReply(t require.TestingT, tenant events.TenantID, session events.SessionID, n int) events.Message {
	record := events.Record{Envelope: envelope(tenant, session, n), Event: &events.ModelReplied{
		Iteration: n + 1, Model: []string{"small", "large"}[n%2],
		Usage: events.TokenUsage{InputTokens: int64(n * 101), OutputTokens: int64(n * 7)},
	}}
	return message(t, record)
}

func envelope(tenant events.TenantID, session events.SessionID, n int) events.Envelope {
	return events.Envelope{
		ID: "req_" + strconv.Itoa(n), Time: Noon().Add(time.Duration(n) * 7 * time.Hour), Tenant: tenant, Session: session,
		Request: events.RequestID("req_" + strconv.Itoa(n)),
	}
}

func message(t require.TestingT, record events.Record) events.Message {
	env, event, ok := usage.FromRecord(record, usage.SessionFacts{
		Environment: events.EnvironmentLive, Metadata: map[string]string{"tenant_id": string(record.Tenant)},
	})
	require.True(t, ok)
	made, err := events.Encode(events.UsageSubject(record.Tenant, event.Meter), env, event)
	require.NoError(t, err)
	return made
}

// received is when a broker that nothing keeps waiting gets a message.
func received(message events.Message) time.Time {
	at, err := time.Parse(time.RFC3339Nano, message.Header.Value(events.HeaderTime))
	if err != nil {
		return Noon() // a message that no ledger takes
	}
	return at.Add(time.Second)
}

// store gives messages their places in a stream, as a broker does.
func store(messages []events.Message) []events.Message {
	stored := make([]events.Message, len(messages))
	for i, message := range messages {
		message.Sequence, message.Time = uint64(i+1), received(message)
		stored[i] = message
	}
	return stored
}

// record books messages and requires that each of them is counted once.
func record(t require.TestingT, book *ledger.Ledger, messages []events.Message) usage.Outcome {
	outcome, err := book.Record(background(t), usage.ReadBatch(messages))
	require.NoError(t, err)
	require.Equal(t, len(messages), outcome.Total())
	return outcome
}

// market draws the usage of a few tenants with corrections of it; no message
// contradicts another.
func market(tenants []events.TenantID) *rapid.Generator[[]events.Message] {
	return rapid.Custom(func(t *rapid.T) []events.Message {
		var messages []events.Message
		for i, tenant := range tenants {
			for n := range rapid.IntRange(0, 12).Draw(t, "events"+strconv.Itoa(i)) {
				session := events.SessionID("ses_" + strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "session")))
				if rapid.Bool().Draw(t, "tool") {
					messages = append(messages, ToolCall(t, tenant, session, 2*n))
				} else {
					messages = append(messages, ModelReply(t, tenant, session, 2*n+1))
				}
			}
		}
		return append(messages, corrected(t, messages)...)
	})
}

// deliveries draws a way in which a broker may deliver messages: in any order,
// some more than once, cut into batches, the last few batches again.
func deliveries(messages []events.Message) *rapid.Generator[[][]events.Message] {
	return rapid.Custom(func(t *rapid.T) [][]events.Message {
		sent := append([]events.Message(nil), messages...)
		if len(messages) > 0 {
			sent = append(sent, rapid.SliceOfN(rapid.SampledFrom(messages), 0, 10).Draw(t, "doubles")...)
		}
		sent = store(rapid.Permutation(sent).Draw(t, "order"))
		var batches [][]events.Message
		for len(sent) > 0 {
			size := rapid.IntRange(1, len(sent)).Draw(t, "size")
			batches, sent = append(batches, sent[:size]), sent[size:]
		}
		if len(batches) > 0 {
			from := rapid.IntRange(0, len(batches)).Draw(t, "replayed from")
			batches = append(batches, batches[from:]...)
		}
		return batches
	})
}

// account is all that a ledger says of a tenant and that follows from the
// messages alone, as text.
func account(t require.TestingT, book *ledger.Ledger, tenant events.TenantID) string {
	totals, err := book.Totals(background(t), tenant, usage.Period{})
	require.NoError(t, err)
	card, err := rating.Default()
	require.NoError(t, err)
	bill, err := rating.Rate(card, rating.Usage{Totals: totals})
	require.NoError(t, err)
	var calls []usage.ToolCall
	filter := usage.ToolCallFilter{Tenant: tenant, Limit: 7}
	for {
		page, err := book.ToolCalls(background(t), filter)
		require.NoError(t, err)
		calls = append(calls, page.Calls...)
		if filter.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	data, err := json.Marshal(map[string]any{"totals": totals, "bill": bill, "calls": calls})
	require.NoError(t, err)
	return string(data)
}

// expected is what the totals of messages must be, by the shortest way there is.
func expected(t require.TestingT, messages []events.Message, tenant events.TenantID, period usage.Period) usage.Totals {
	tally := usage.NewTally()
	seen := map[usage.ID]bool{}
	batch := usage.ReadBatch(messages)
	corrections := map[usage.ID][]usage.Correction{}
	for _, correction := range batch.Corrections {
		corrections[correction.Corrects] = append(corrections[correction.Corrects], correction)
	}
	for _, row := range batch.Rows {
		if row.Tenant != tenant || seen[row.ID] || !period.IsZero() && !period.Contains(row.OccurredAt) {
			continue
		}
		seen[row.ID] = true
		row.Quantities = usage.Net(row, corrections[row.ID])
		require.NoError(t, tally.AddRow(row))
	}
	return tally.Totals()
}

func requireTotals(t require.TestingT, want, got usage.Totals) {
	exact := cmp.Comparer(func(a, b usage.Amount) bool { return a == b })
	require.Empty(t, cmp.Diff(want, got, exact))
}

func requireVerified(t require.TestingT, book *ledger.Ledger) {
	found, err := book.Verify(background(t))
	require.NoError(t, err)
	require.True(t, found.OK(), fmt.Sprint(found.Differences))
}
