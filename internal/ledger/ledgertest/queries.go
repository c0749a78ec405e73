package ledgertest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// testIntervals asks for intervals that begin and end anywhere: whole days come
// from sums, the rest from rows, and nobody can tell.
func testIntervals(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var messages []events.Message
	for n := range 60 {
		messages = append(messages, ToolCall(t, "acme", "ses_1", n), ModelReply(t, "acme", "ses_2", n), ToolCall(t, "loja", "ses_1", n))
	}
	record(t, book, store(messages))
	month := usage.MonthOf(Noon(), book.Zone())
	day := func(n int) time.Time { return month.From.AddDate(0, 0, n) }
	instants := rapid.OneOf(
		rapid.Map(rapid.IntRange(15, 55), day),
		rapid.Map(rapid.IntRange(15, 55), func(n int) time.Time { return day(n).Add(-1) }),
		rapid.Map(rapid.IntRange(15, 55), func(n int) time.Time { return day(n).Add(1) }),
		rapid.Map(rapid.Int64Range(0, 600*3600), func(second int64) time.Time { return Noon().Add(time.Duration(second-3600) * time.Second) }),
		rapid.Map(rapid.IntRange(0, 59), func(n int) time.Time { return Noon().Add(time.Duration(n) * 7 * time.Hour) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		from, to := instants.Draw(t, "from"), instants.Draw(t, "to")
		if !from.Before(to) {
			from, to = to, from.Add(1)
		}
		period, err := usage.NewPeriod(from, to)
		require.NoError(t, err)
		totals, err := book.Totals(background(t), "acme", period)
		require.NoError(t, err)
		want := expected(t, messages, "acme", period)
		requireTotals(t, want, totals)
		tenants, err := book.Tenants(background(t), period)
		require.NoError(t, err)
		require.Equal(t, len(want) > 0, len(tenants) > 0 && tenants[0] == "acme", period)
	})
	all := usage.Period{From: time.Time{}.Add(1), To: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	totals, err := book.Totals(t.Context(), "acme", all)
	require.NoError(t, err)
	requireTotals(t, expected(t, messages, "acme", usage.Period{}), totals)
}

func testFractions(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	amount := func(text string) usage.Amount {
		parsed, err := usage.ParseAmount(text)
		require.NoError(t, err)
		return parsed
	}
	var want usage.Amount
	for n, text := range []string{"0.999999999", "0.000000001", "0.999999999", "1.5", "10000000000", "0.7", "0.8", "0"} {
		row := usage.ReadBatch([]events.Message{ToolCall(t, "acme", "ses_1", n*6)}).Rows[0]
		row.OccurredAt = Noon()
		row.Quantities = []usage.Quantity{{Unit: "gib_hour", Amount: amount(text)}}
		outcome, err := book.Record(t.Context(), usage.Batch{Rows: []usage.Row{row}})
		require.NoError(t, err)
		require.Equal(t, 1, outcome.Inserted)
		want, err = want.Add(amount(text))
		require.NoError(t, err)
	}
	totals, err := book.Totals(t.Context(), "acme", usage.Period{})
	require.NoError(t, err)
	require.Len(t, totals, 1)
	require.Equal(t, "10000000004.999999999", want.String())
	require.Equal(t, want, totals[0].Amount)
	requireVerified(t, book)
}

func testPages(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var messages []events.Message
	for n := range 50 {
		// Many calls at one moment, so that pages must part equal times.
		messages = append(messages, ToolCall(t, "acme", events.SessionID("ses_"+strconv.Itoa(n%5)), n/5), ToolCall(t, "loja", "ses_1", n))
	}
	record(t, book, store(messages))
	seen := map[string]bool{}
	filter := usage.ToolCallFilter{Tenant: "acme", Limit: 3}
	last := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	for page := 0; ; page++ {
		found, err := book.ToolCalls(t.Context(), filter)
		require.NoError(t, err)
		for _, call := range found.Calls {
			require.Equal(t, events.TenantID("acme"), call.Tenant)
			require.False(t, call.CalledAt.After(last), "the newest first")
			last = call.CalledAt
			id := string(call.Session) + "/" + call.ID
			require.False(t, seen[id], "%s came twice", id)
			seen[id] = true
		}
		if page == 1 { // somebody calls while we page
			record(t, book, []events.Message{ToolCall(t, "acme", "ses_new", 1000)})
		}
		if filter.Cursor = found.Next; found.Next == "" {
			break
		}
		require.Len(t, found.Calls, 3)
	}
	require.Len(t, seen, 50)

	for _, cursor := range []string{"!", "AAAA", "bm90IGpzb24"} {
		_, err := book.ToolCalls(t.Context(), usage.ToolCallFilter{Cursor: cursor})
		require.ErrorIs(t, err, usage.ErrInvalidCursor, cursor)
	}
}

func testFilters(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var messages []events.Message
	for n := range 30 {
		messages = append(messages, ToolCall(t, "acme", "ses_1", n), ToolCall(t, "acme", "ses_2", n), ToolCall(t, "loja", "ses_1", n), ModelReply(t, "acme", "ses_1", n+100))
	}
	record(t, book, store(messages))
	count := func(filter usage.ToolCallFilter) int {
		filter.Limit = usage.MaxPage
		page, err := book.ToolCalls(t.Context(), filter)
		require.NoError(t, err)
		return len(page.Calls)
	}
	require.Equal(t, 90, count(usage.ToolCallFilter{}), "no model replies")
	require.Equal(t, 60, count(usage.ToolCallFilter{Tenant: "acme"}))
	require.Equal(t, 30, count(usage.ToolCallFilter{Tenant: "acme", Session: "ses_2"}))
	require.Equal(t, 20, count(usage.ToolCallFilter{Tenant: "acme", Server: "asaas"}))
	require.Equal(t, 30, count(usage.ToolCallFilter{Tenant: "acme", Tool: "quote"}))
	require.Equal(t, 60, count(usage.ToolCallFilter{Tenant: "acme", Environment: events.EnvironmentLive}))
	require.Equal(t, 0, count(usage.ToolCallFilter{Tenant: "acme", Environment: events.EnvironmentTest}))
	require.Equal(t, 0, count(usage.ToolCallFilter{Tenant: "acme' OR '1'='1"}))
	first := usage.Period{From: Noon(), To: Noon().Add(7 * time.Hour)}
	require.Equal(t, 2, count(usage.ToolCallFilter{Tenant: "acme", Period: first}), "the end is not of it")

	page, err := book.ToolCalls(t.Context(), usage.ToolCallFilter{Tenant: "loja", Limit: 1})
	require.NoError(t, err)
	require.Equal(t, usage.ToolCall{
		ID: "req_29", Tenant: "loja", Session: "ses_1", Request: "req_29", Server: "correios", Tool: "quote", Status: events.ToolOK,
		Billable: true, Environment: events.EnvironmentLive, Attempts: 1, Duration: 29 * time.Millisecond,
		Metadata: map[string]string{"tenant_id": "loja"}, CalledAt: Noon().Add(29 * 7 * time.Hour),
	}, page.Calls[0])
}

func testTenantsOfPeriod(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	record(t, book, store([]events.Message{ToolCall(t, "loja", "ses_1", 0), ToolCall(t, "acme", "ses_1", 100), ModelReply(t, "zeta", "ses_1", 0)}))
	for _, row := range []struct {
		period usage.Period
		want   []events.TenantID
	}{
		{usage.Period{}, []events.TenantID{"acme", "loja", "zeta"}},
		{usage.MonthOf(Noon(), book.Zone()), []events.TenantID{"loja", "zeta"}},
		{usage.MonthOf(Noon().AddDate(0, 1, 0), book.Zone()), []events.TenantID{"acme"}},
		{usage.MonthOf(Noon().AddDate(0, 2, 0), book.Zone()), nil},
	} {
		tenants, err := book.Tenants(t.Context(), row.period)
		require.NoError(t, err)
		require.Equal(t, row.want, tenants, row.period)
	}
}

func testVerify(t *testing.T, newDatabase Func) {
	t.Helper()
	for name, statement := range map[string]string{
		"a sum too high":     "UPDATE usage_rollups SET whole = whole + 1 WHERE tenant_id = 'acme' AND server = 'asaas' AND tool = 'quote'",
		"a sum too low":      "UPDATE usage_rollups SET whole = 0 WHERE tenant_id = 'acme'",
		"a billionth":        "UPDATE usage_rollups SET nano = 1 WHERE tenant_id = 'acme'",
		"a sum missing":      "DELETE FROM usage_rollups WHERE tenant_id = 'acme' AND server = 'stripe'",
		"a sum without rows": "INSERT INTO usage_rollups SELECT 'ghost', day, meter, unit, server, tool, model, billable, environment, whole, nano FROM usage_rollups WHERE tenant_id = 'acme'",
		"a row missing":      "DELETE FROM usage_rows WHERE tenant_id = 'acme' AND event_id = 'req_3'",
		"a row changed":      "UPDATE usage_rows SET outcome = 'error' WHERE tenant_id = 'acme' AND event_id = 'req_3'",
		"a quantity changed": `UPDATE usage_rows SET quantities = '[{"unit":"call","amount":"9"}]' WHERE tenant_id = 'acme' AND event_id = 'req_3'`,
		"a row's day moved":  "UPDATE usage_rows SET day = '2020-01-01' WHERE tenant_id = 'acme' AND event_id = 'req_3'",
		"another's hash": "UPDATE usage_rows SET hash = (SELECT other.hash FROM usage_rows AS other WHERE other.tenant_id = 'loja' AND other.event_id = 'req_4')" +
			" WHERE tenant_id = 'acme' AND event_id = 'req_3'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := newDatabase(t)
			book := database.Open(t, nil)
			t.Cleanup(func() { require.NoError(t, book.Close()) })
			var messages []events.Message
			for n := range 12 {
				messages = append(messages, ToolCall(t, "acme", "ses_1", n), ToolCall(t, "loja", "ses_1", n))
			}
			record(t, book, store(messages))
			found, err := book.Verify(t.Context())
			require.NoError(t, err)
			require.True(t, found.OK())
			require.Equal(t, 24, found.Rows)
			require.Positive(t, found.Rollups)

			database.Exec(t, statement)
			found, err = book.Verify(t.Context())
			require.NoError(t, err)
			require.False(t, found.OK())
			for _, difference := range found.Differences {
				require.NotEqual(t, events.TenantID("loja"), difference.Tenant, "only the tenant at fault is named")
			}
		})
	}
}
