package ledgertest

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// background is the test's context; rapid hands in its own kind of test.
func background(t require.TestingT) context.Context {
	if test, ok := t.(interface{ Context() context.Context }); ok {
		return test.Context()
	}
	return context.Background()
}

func open(t *testing.T, newDatabase Func) *ledger.Ledger {
	t.Helper()
	book := newDatabase(t).Open(t, nil)
	t.Cleanup(func() { require.NoError(t, book.Close()) })
	return book
}

// testAnyOrder plays one market twice, to two sets of tenants that differ in
// nothing but their names: in order and once, then however a broker may.
func testAnyOrder(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var round atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		prefix := "t" + strconv.FormatInt(round.Add(1), 10) + "_"
		tenants := []events.TenantID{events.TenantID(prefix + "a"), events.TenantID(prefix + "b"), events.TenantID(prefix + "c")}
		messages := market(tenants).Draw(t, "market")
		var sum usage.Outcome
		for _, batch := range deliveries(messages).Draw(t, "deliveries") {
			sum = sum.Add(record(t, book, batch))
		}
		distinct := map[usage.ID]bool{}
		whole := usage.ReadBatch(messages)
		for _, row := range whole.Rows {
			distinct[row.ID] = true
		}
		for _, correction := range whole.Corrections {
			distinct[correction.ID] = true
		}
		require.Equal(t, len(distinct), sum.Inserted)
		require.Zero(t, sum.Conflicts+sum.Quarantined)

		before := map[events.TenantID]string{}
		for _, tenant := range tenants {
			totals, err := book.Totals(background(t), tenant, usage.Period{})
			require.NoError(t, err)
			requireTotals(t, expected(t, messages, tenant, usage.Period{}), totals)
			before[tenant] = account(t, book, tenant)
		}
		again := record(t, book, store(messages))
		require.Equal(t, len(messages), again.Duplicates, "all of it again, in order")
		for _, tenant := range tenants {
			require.Equal(t, before[tenant], account(t, book, tenant), "to the byte")
		}
	})
	requireVerified(t, book)
}

func testReplay(t *testing.T, newDatabase Func) {
	t.Helper()
	database := newDatabase(t)
	book := database.Open(t, nil)
	var messages []events.Message
	for n := range 300 {
		messages = append(messages, ToolCall(t, "acme", "ses_1", n))
	}
	messages = store(messages)
	require.Equal(t, usage.Outcome{Inserted: 300}, record(t, book, messages))
	require.Equal(t, usage.Outcome{Duplicates: 300}, record(t, book, messages))
	want := account(t, book, "acme")
	require.NoError(t, book.Close())

	book = database.Open(t, nil)
	require.Equal(t, usage.Outcome{Duplicates: 300}, record(t, book, messages), "after a restart")
	require.Equal(t, want, account(t, book, "acme"))
	requireVerified(t, book)
	outcome, err := book.Record(t.Context(), usage.Batch{})
	require.NoError(t, err)
	require.Zero(t, outcome)
	require.NoError(t, book.Close())
}

// contradict is the message with the same id that says something else.
func contradict(t *testing.T, message events.Message) events.Message {
	t.Helper()
	decoded, err := events.Decode(message)
	require.NoError(t, err)
	event, ok := decoded.Event.(*events.UsageRecorded)
	require.True(t, ok)
	event.Quantities = []events.Quantity{{Unit: events.UnitCall, Amount: "2"}}
	made, err := events.Encode(message.Subject, decoded.Envelope, event)
	require.NoError(t, err)
	made.Sequence, made.Time = message.Sequence+1000, message.Time.Add(time.Minute)
	return made
}

func testConflict(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	first := store([]events.Message{ToolCall(t, "acme", "ses_1", 0)})
	record(t, book, first)
	want := account(t, book, "acme")
	other := contradict(t, first[0])
	require.Equal(t, usage.Outcome{Conflicts: 1}, record(t, book, []events.Message{other}))
	require.Equal(t, usage.Outcome{Duplicates: 2}, record(t, book, []events.Message{other, first[0]}), "delivered again")
	require.Equal(t, want, account(t, book, "acme"), "the first row stands")

	conflicts, err := book.Conflicts(t.Context(), "acme", 0)
	require.NoError(t, err)
	require.Len(t, conflicts, 1)
	kept, refused := usage.ReadBatch(first).Rows[0], usage.ReadBatch([]events.Message{other}).Rows[0]
	require.Equal(t, kept.ID, conflicts[0].ID)
	require.Equal(t, kept.Hash(), conflicts[0].Kept)
	require.Equal(t, refused.Hash(), conflicts[0].Refused)
	require.Equal(t, refused, conflicts[0].Row)
	others, err := book.Conflicts(t.Context(), "loja", 0)
	require.NoError(t, err)
	require.Empty(t, others)
	requireVerified(t, book)
}

func testConflictInBatch(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	first := ToolCall(t, "acme", "ses_1", 0)
	other := contradict(t, first)
	batch := []events.Message{first, other, first, other}
	require.Equal(t, usage.Outcome{Inserted: 1, Conflicts: 1, Duplicates: 2}, record(t, book, batch))
	totals, err := book.Totals(t.Context(), "acme", usage.Period{})
	require.NoError(t, err)
	requireTotals(t, expected(t, []events.Message{first}, "acme", usage.Period{}), totals)
}

func testTenants(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	// The same source and id, which is what an outer producer may choose.
	var batch []events.Message
	for _, tenant := range []events.TenantID{"acme", "loja"} {
		message := ToolCall(t, tenant, "ses_1", 0)
		message.Header.Set(events.HeaderSource, "/billing")
		batch = append(batch, message)
	}
	require.Equal(t, usage.Outcome{Inserted: 2}, record(t, book, batch))
	for _, tenant := range []events.TenantID{"acme", "loja"} {
		totals, err := book.Totals(t.Context(), tenant, usage.Period{})
		require.NoError(t, err)
		require.Len(t, totals, 1)
		require.Equal(t, "1", totals[0].Amount.String())
	}
	totals, err := book.Totals(t.Context(), "nobody", usage.Period{})
	require.NoError(t, err)
	require.Empty(t, totals)
}

func testQuarantine(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	good, bad := ToolCall(t, "acme", "ses_1", 0), ToolCall(t, "acme", "ses_1", 1)
	bad.Header.Set(events.HeaderTenant, "loja")
	batch := store([]events.Message{good, bad})
	require.Equal(t, usage.Outcome{Inserted: 1, Quarantined: 1}, record(t, book, batch))
	require.Equal(t, usage.Outcome{Duplicates: 2}, record(t, book, batch))
	kept, err := book.Quarantine(t.Context(), "acme", 0)
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.Equal(t, usage.ReadBatch(batch).Rejected[0], kept[0].Rejected)
	require.False(t, kept[0].RecordedAt.IsZero())

	// The same bytes at another place of the stream are another message.
	batch[1].Sequence = 77
	require.Equal(t, usage.Outcome{Quarantined: 1}, record(t, book, batch[1:]))
	requireVerified(t, book)
}

func testQuarantineTakesAnything(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	hostile := []events.Message{
		{},
		{Subject: "feira.usage.acme.tool_call"},
		{Subject: "\x00\xff", Data: []byte("\x00\xff"), Header: events.Header{"\xff\x00": {"\x00"}}},
		{Subject: "feira.usage.'; DROP TABLE usage_rows; --.x"},
		{Subject: "feira.usage.acme.tool_call", Data: make([]byte, 300<<10), Sequence: 1 << 40},
	}
	require.Equal(t, usage.Outcome{Quarantined: len(hostile)}, record(t, book, hostile))
	kept, err := book.Quarantine(t.Context(), "", 0)
	require.NoError(t, err)
	require.Len(t, kept, len(hostile))
	requireVerified(t, book)
}

func testCancelled(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var messages []events.Message
	for n := range 1500 {
		messages = append(messages, ToolCall(t, "acme", "ses_1", n))
	}
	batch := usage.ReadBatch(store(messages))
	// The context ends at another point of the transaction each time.
	committed := false
	for wait := 20 * time.Microsecond; !committed && wait < time.Minute; wait *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		_, err := book.Record(ctx, batch)
		cancel()
		committed = err == nil
		totals, err := book.Totals(t.Context(), "acme", usage.Period{})
		require.NoError(t, err)
		if committed {
			requireTotals(t, expected(t, messages, "acme", usage.Period{}), totals)
		} else if len(totals) > 0 {
			// The commit was done and its answer lost: all of it is there.
			requireTotals(t, expected(t, messages, "acme", usage.Period{}), totals)
		}
		requireVerified(t, book)
	}
	require.True(t, committed)
	_, err := book.Record(t.Context(), batch)
	require.NoError(t, err, "the ledger is as usable as before")
}

func testConcurrent(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	var messages []events.Message
	for n := range 400 {
		messages = append(messages, ToolCall(t, events.TenantID("t"+strconv.Itoa(n%3)), "ses_1", n))
	}
	messages = store(messages)
	var inserted atomic.Int64
	var group sync.WaitGroup
	for writer := range 4 {
		group.Go(func() {
			for from := 0; from < len(messages); from += 50 {
				at := (from + writer*100) % len(messages)
				outcome, err := book.Record(t.Context(), usage.ReadBatch(messages[at:at+50]))
				if err != nil {
					t.Error(err)
					return
				}
				inserted.Add(int64(outcome.Inserted))
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(len(messages)), inserted.Load(), "each event is new to one writer")
	requireVerified(t, book)
}
