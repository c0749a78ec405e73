package ledgertest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// testSums counts calls by everything that they can be grouped by, and does the
// same by adding up one after the other.
func testSums(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var rows []usage.Row
	for n := range 60 {
		for _, tenant := range []events.TenantID{"acme", "loja"} {
			row := usage.ReadBatch([]events.Message{ToolCall(t, tenant, "ses_1", n)}).Rows[0]
			row.Billable = n%4 != 0
			// Of a language's order "a" is before "B", and "a-b" behind "aa".
			if order := []string{"", "a", "B", "a-b", "aa", `it's "é"`, "a\x00\x00b", `a\\u0000`, `a\u0000`}[n%9]; order != "" {
				row.Metadata = map[string]string{"order": order, "x:1": strconv.Itoa(n % 2)}
			}
			if n%5 == 0 {
				row.Outcome = string(events.ToolError)
			}
			rows = append(rows, row)
		}
	}
	_, err := book.Record(t.Context(), usage.Batch{Rows: rows})
	require.NoError(t, err)
	for _, filter := range []usage.ToolCallFilter{
		{},
		{Tenant: "acme"},
		{Tenant: "acme", Outcome: usage.CallSuccess},
		{Outcome: usage.CallError},
		{Tenant: "ghost"},
		{Tenant: "loja", Server: "asaas", Period: usage.Period{From: Noon(), To: Noon().AddDate(0, 0, 7)}, Limit: 1, Cursor: "none"},
	} {
		for _, by := range [][]string{{"tenant"}, {"server", "tool"}, {"day"}, {"metadata.order"}, {"metadata.x:1", "tenant", "metadata.order"}, {"metadata.none"}} {
			sums, err := book.CallSums(t.Context(), filter, by)
			require.NoError(t, err, "%v by %v", filter, by)
			require.Equal(t, addUp(rows, filter, by, book.Zone()), sums, "%v by %v", filter, by)
		}
	}
	for _, by := range []string{"", "hash", "metadata.", `metadata.a"b`, "tool, hash"} {
		_, err := book.CallSums(t.Context(), usage.ToolCallFilter{}, []string{by})
		require.ErrorContains(t, err, strconv.Quote(by))
	}
}

func addUp(rows []usage.Row, filter usage.ToolCallFilter, by []string, zone *time.Location) []usage.CallSum {
	var sums []usage.CallSum
	for _, row := range rows {
		failed := row.Outcome != string(events.ToolOK)
		switch {
		case filter.Tenant != "" && filter.Tenant != row.Tenant, filter.Server != "" && filter.Server != row.Server,
			filter.Outcome != "" && failed != (filter.Outcome == usage.CallError),
			!filter.Period.IsZero() && (row.OccurredAt.Before(filter.Period.From) || !row.OccurredAt.Before(filter.Period.To)):
			continue
		}
		values := map[string]string{"tenant": string(row.Tenant), "server": row.Server, "tool": row.Tool, "day": usage.DateOf(row.OccurredAt, zone)}
		for key, value := range row.Metadata {
			values["metadata."+key] = strings.ReplaceAll(value, "\x00", "\uFFFD")
		}
		same := func(sum usage.CallSum) bool {
			return !slices.ContainsFunc(by, func(name string) bool { return sum.By[name] != values[name] })
		}
		at := slices.IndexFunc(sums, same)
		if at < 0 {
			at, sums = len(sums), append(sums, usage.CallSum{By: map[string]string{}})
			for _, name := range by {
				sums[at].By[name] = values[name]
			}
		}
		sums[at].Calls++
		sums[at].Duration += row.Duration
		if row.Billable {
			sums[at].Billable++
		}
	}
	slices.SortFunc(sums, func(a, b usage.CallSum) int {
		for _, name := range by {
			if order := cmp.Compare(a.By[name], b.By[name]); order != 0 {
				return order
			}
		}
		return 0
	})
	return sums
}
