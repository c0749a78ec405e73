package ledgertest

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// testItems: in whatever order usage and corrections come, items add up to the
// totals, and what was said of a number is said of it ever after.
func testItems(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var round atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		prefix := "t" + strconv.FormatInt(round.Add(1), 10) + "_"
		tenants := []events.TenantID{events.TenantID(prefix + "a"), events.TenantID(prefix + "b")}
		messages := market(tenants).Draw(r, "messages")
		var said []usage.Item
		begun, err := book.LastNumber(t.Context())
		require.NoError(r, err)
		upTo := begun
		for _, batch := range deliveries(messages).Draw(r, "deliveries") {
			_, err := book.Record(t.Context(), usage.ReadBatch(batch))
			require.NoError(r, err)
			last, err := book.LastNumber(t.Context())
			require.NoError(r, err)
			said = append(said, items(t, r, book, usage.ItemFilter{After: upTo, Through: last})...)
			upTo = last
		}
		require.Equal(r, said, items(t, r, book, usage.ItemFilter{After: begun, Through: upTo}))
		keys := map[string]bool{}
		for _, item := range said {
			require.False(r, keys[item.Key()], item.Key())
			keys[item.Key()] = true
		}
		for _, tenant := range tenants {
			tally := map[usage.Key]usage.Change{}
			for _, item := range said {
				if item.Row.Tenant != tenant {
					continue
				}
				sum, err := tally[item.Row.Key(item.Unit)].Add(item.Change)
				require.NoError(r, err)
				tally[item.Row.Key(item.Unit)] = sum
			}
			totals, err := book.Totals(t.Context(), tenant, usage.Period{})
			require.NoError(r, err)
			for _, total := range totals {
				require.Equal(r, total.Amount.String(), tally[total.Key].String())
				delete(tally, total.Key)
			}
			for key, left := range tally {
				require.True(r, left.IsZero(), "%v %s", key, left)
			}
		}
	})
}

func items(t *testing.T, r require.TestingT, book *ledger.Ledger, filter usage.ItemFilter) []usage.Item {
	t.Helper()
	var found []usage.Item
	require.NoError(r, book.Items(t.Context(), filter, func(item usage.Item) error {
		found = append(found, item)
		return nil
	}))
	return found
}

// testExports: a batch that was planned stays the next one until it is taken; the
// cursor moves with the windows or not at all; a window leaves once.
func testExports(t *testing.T, newDatabase Func) {
	book := newDatabase(t).Open(t, nil)
	defer func() { require.NoError(t, book.Close()) }()
	record(t, book, store([]events.Message{
		ToolCall(t, "acme", "ses_1", 0), ToolCall(t, "acme", "ses_1", 1), ToolCall(t, "acme", "ses_1", 2),
	}))
	begun, err := book.OpenExport(t.Context(), "one", "{}")
	require.NoError(t, err)
	require.Zero(t, begun.Planned)
	_, err = book.OpenExport(t.Context(), "one", "other")
	require.ErrorIs(t, err, ledger.ErrExportChanged)

	planned, err := book.PlanExport(t.Context(), "one", 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, planned.Planned)
	again, err := book.PlanExport(t.Context(), "one", 100)
	require.NoError(t, err)
	require.EqualValues(t, 2, again.Planned, "it was not taken")
	require.NoError(t, book.AdvanceExport(t.Context(), planned, 2))
	require.NoError(t, book.AdvanceExport(t.Context(), planned, 2), "by another process, and changes nothing")

	planned, err = book.PlanExport(t.Context(), "one", 100)
	require.NoError(t, err)
	require.EqualValues(t, 3, planned.Planned)
	hour := usage.WindowKey{Tenant: "acme", Meter: "tool_call", Unit: "call", Start: Noon(), End: Noon().Add(time.Hour)}
	one := usage.Change{Amount: usage.WholeAmount(1)}
	for range 2 { // the second is another process's
		require.NoError(t, book.GatherExport(t.Context(), planned, 1, map[usage.WindowKey]usage.Change{hour: one}))
	}
	windows, err := book.Windows(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, []usage.Window{{WindowKey: hour, Pending: one}}, windows)
	for range 2 {
		require.NoError(t, book.CutSend(t.Context(), "one", windows[0], func(version int64) string { return "v" + strconv.FormatInt(version, 10) }))
	}
	sends, err := book.Sends(t.Context(), "one", usage.SendReady, usage.SendTried)
	require.NoError(t, err)
	want := usage.Send{WindowKey: hour, Identifier: "v1", Version: 1, Value: one, State: usage.SendReady}
	require.Equal(t, []usage.Send{want}, sends)
	want.State, want.TriedAt, want.Detail = usage.SendTried, Noon(), "said"
	require.NoError(t, book.MarkSend(t.Context(), "one", want))
	sends, err = book.Sends(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, []usage.Send{want}, sends)
	windows, err = book.Windows(t.Context(), "one")
	require.NoError(t, err)
	require.Empty(t, windows)
	exports, err := book.Exports(t.Context())
	require.NoError(t, err)
	require.Len(t, exports, 1)
	require.EqualValues(t, 3, exports[0].Cursor)
	require.EqualValues(t, 3, exports[0].Items)
	stop := errors.New("stop")
	require.ErrorIs(t, book.Items(t.Context(), usage.ItemFilter{Through: 3}, func(usage.Item) error { return stop }), stop)
}
