package ledgertest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// Correct is the message that corrects another one of its tenant; without
// quantities it is a void.
func Correct(t require.TestingT, message events.Message, id string, quantities ...events.Quantity) events.Message {
	record, err := events.Decode(message)
	require.NoError(t, err)
	meter := events.MeterToolCall
	if recorded, ok := record.Event.(*events.UsageRecorded); ok {
		meter = recorded.Meter
	}
	kind := events.CorrectionVoid
	if len(quantities) > 0 {
		kind = events.CorrectionAdjust
	}
	corrected := &events.UsageCorrected{
		Meter: meter, CorrectsSource: record.Source, CorrectsID: record.ID, Kind: kind, Quantities: quantities, Reason: "a test",
	}
	made, err := events.Encode(events.UsageSubject(record.Tenant, meter), events.Envelope{
		ID: id, Source: "/corrections", Time: record.Time.Add(time.Hour), Tenant: record.Tenant,
	}, corrected)
	require.NoError(t, err)
	return made
}

// corrected draws corrections of messages, of some more than one.
func corrected(t *rapid.T, messages []events.Message) []events.Message {
	var made []events.Message
	for n := range rapid.IntRange(0, len(messages)).Draw(t, "corrections") {
		target := rapid.SampledFrom(messages).Draw(t, "corrected")
		var quantities []events.Quantity
		if rapid.IntRange(0, 2).Draw(t, "adjusts") > 0 {
			quantities = append(quantities, events.Quantity{
				Unit: events.UnitCall, Amount: rapid.SampledFrom([]string{"0", "2", "0.5", "0.000000001", "10000000000"}).Draw(t, "quantity"),
			})
		}
		made = append(made, Correct(t, target, "c"+strconv.Itoa(n), quantities...))
	}
	return made
}

func call(amount string) events.Quantity {
	return events.Quantity{Unit: events.UnitCall, Amount: amount}
}

// correctionCase is what a correction may meet.
type correctionCase struct {
	messages []events.Message
	want     string // calls in all; empty for none
	outcome  usage.Outcome
}

func correctionCases(t *testing.T, tenant events.TenantID) map[string]correctionCase {
	t.Helper()
	first := ToolCall(t, tenant, "ses_1", 0)
	void, adjust := Correct(t, first, "void"), Correct(t, first, "adjust", call("3"))
	later := Correct(t, first, "later", call("0.7"))
	later.Header.Set(events.HeaderTime, Noon().Add(48*time.Hour).Format(time.RFC3339Nano))
	foreign := Correct(t, first, "foreign")
	foreign.Subject = events.UsageSubject("loja", events.MeterToolCall)
	foreign.Header.Set(events.HeaderTenant, "loja")
	foreign.Header.Set(events.HeaderSubject, "loja")
	other := Correct(t, first, "void", call("9"))
	return map[string]correctionCase{
		"void":                   {[]events.Message{first, void}, "", usage.Outcome{Inserted: 2}},
		"void first":             {[]events.Message{void, first}, "", usage.Outcome{Inserted: 2}},
		"void twice":             {[]events.Message{first, void, void, Correct(t, first, "again")}, "", usage.Outcome{Inserted: 3, Duplicates: 1}},
		"adjust":                 {[]events.Message{first, adjust}, "3", usage.Outcome{Inserted: 2}},
		"adjust down":            {[]events.Message{first, later}, "0.7", usage.Outcome{Inserted: 2}},
		"latest adjustment":      {[]events.Message{later, first, adjust}, "0.7", usage.Outcome{Inserted: 3}},
		"void before adjustment": {[]events.Message{adjust, void, first}, "", usage.Outcome{Inserted: 3}},
		"void of a void":         {[]events.Message{first, void, Correct(t, void, "x")}, "", usage.Outcome{Inserted: 2, Quarantined: 1}},
		"void of nothing":        {[]events.Message{Correct(t, first, "x")}, "", usage.Outcome{Inserted: 1}},
		"other tenant's":         {[]events.Message{first, foreign}, "1", usage.Outcome{Inserted: 1, Quarantined: 1}},
		"same id, other words":   {[]events.Message{first, void, other}, "", usage.Outcome{Inserted: 2, Quarantined: 1}},
	}
}

// testCorrections goes through them one by one, each message by message and all
// at once, and each for a tenant of its own.
func testCorrections(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	number := 0
	for name := range correctionCases(t, "acme") {
		for _, whole := range []bool{false, true} {
			number++
			tenant := events.TenantID("t" + strconv.Itoa(number))
			t.Run(name+"/"+strconv.FormatBool(whole), func(t *testing.T) {
				row, cut := correctionCases(t, tenant)[name], 1
				if whole {
					cut = len(row.messages)
				}
				var sum usage.Outcome
				for messages := row.messages; len(messages) > 0; messages = messages[cut:] {
					sum = sum.Add(record(t, book, messages[:cut]))
				}
				require.Equal(t, row.outcome, sum)
				totals, err := book.Totals(t.Context(), tenant, usage.Period{})
				require.NoError(t, err)
				calls, err := totals.Sum(events.MeterToolCall, events.UnitCall)
				require.NoError(t, err)
				if row.want == "" {
					require.Empty(t, totals)
				} else {
					require.Equal(t, row.want, calls.String())
				}
			})
		}
	}
	requireVerified(t, book)
}

// testHorizon: what comes too late or too early is kept aside, unless it is what
// the ledger has.
func testHorizon(t *testing.T, newDatabase Func) {
	t.Helper()
	for name, row := range map[string]struct {
		late   time.Duration
		reason usage.Reason // empty: booked
	}{
		"35 days":               {usage.LateHorizon, ""},
		"above 35 days":         {usage.LateHorizon + 1, usage.ReasonTooLate},
		"40 days":               {40 * 24 * time.Hour, usage.ReasonTooLate},
		"5 minutes ahead":       {-usage.FutureHorizon, ""},
		"above 5 minutes ahead": {-usage.FutureHorizon - 1, usage.ReasonFuture},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book := open(t, newDatabase)
			message := store([]events.Message{ToolCall(t, "acme", "ses_1", 0)})[0]
			message.Time = Noon().Add(row.late)
			outcome := record(t, book, []events.Message{message})
			if row.reason == "" {
				require.Equal(t, usage.Outcome{Inserted: 1}, outcome)
				return
			}
			require.Equal(t, usage.Outcome{Quarantined: 1}, outcome)
			require.Equal(t, usage.Outcome{Duplicates: 1}, record(t, book, []events.Message{message}))
			kept, err := book.Quarantine(t.Context(), "acme", 0)
			require.NoError(t, err)
			require.Equal(t, row.reason, kept[0].Reason)
			require.Contains(t, kept[0].Detail, events.HeaderTime)

			timely := store([]events.Message{ToolCall(t, "loja", "ses_1", 0)})
			require.Equal(t, usage.Outcome{Inserted: 1}, record(t, book, timely))
			timely[0].Time = message.Time
			require.Equal(t, usage.Outcome{Duplicates: 1}, record(t, book, timely), "delivered again, late")
			timely[0] = contradict(t, timely[0])
			timely[0].Time = message.Time
			require.Equal(t, usage.Outcome{Conflicts: 1}, record(t, book, timely))
		})
	}
}

// testReplayOfQuarantine books what was put aside once the reason is gone.
func testReplayOfQuarantine(t *testing.T, newDatabase Func) {
	t.Helper()
	book := open(t, newDatabase)
	old := store([]events.Message{ToolCall(t, "acme", "ses_1", 0), ToolCall(t, "acme", "ses_1", 2), ToolCall(t, "loja", "ses_1", 0)})
	for i := range old {
		old[i].Time = Noon().AddDate(0, 2, 0)
	}
	malformed := ToolCall(t, "acme", "ses_1", 4)
	malformed.Data = []byte("{")
	void := Correct(t, old[0], "void")
	require.Equal(t, usage.Outcome{Quarantined: 4, Inserted: 1}, record(t, book, append(old, malformed, void)))
	require.Equal(t, usage.Outcome{Quarantined: 1}, record(t, book, []events.Message{Correct(t, void, "of a void")}))

	replay := func(params ledger.ReplayParams) ledger.Replayed {
		outcome, err := book.Replay(t.Context(), params)
		require.NoError(t, err)
		requireVerified(t, book)
		return outcome
	}
	require.Equal(t, ledger.Replayed{Kept: 5}, replay(ledger.ReplayParams{}), "nothing has changed")
	require.Equal(t, ledger.Replayed{Booked: 1}, replay(ledger.ReplayParams{Tenant: "loja", AcceptUntimely: true, Dry: true}))
	require.Equal(t, ledger.Replayed{Kept: 1}, replay(ledger.ReplayParams{Tenant: "loja"}), "a dry run books nothing")
	require.Equal(t, ledger.Replayed{Booked: 2}, replay(ledger.ReplayParams{Tenant: "acme", Reason: usage.ReasonTooLate, AcceptUntimely: true}))
	require.Equal(t, ledger.Replayed{Kept: 2}, replay(ledger.ReplayParams{Tenant: "acme", AcceptUntimely: true}), "it has left the quarantine")
	totals, err := book.Totals(t.Context(), "acme", usage.Period{})
	require.NoError(t, err)
	calls, err := totals.Sum(events.MeterToolCall, events.UnitCall)
	require.NoError(t, err)
	require.Equal(t, "1", calls.String(), "one of the two was void before it was booked")
	require.Equal(t, usage.Outcome{Duplicates: 2}, record(t, book, old[:2]))
}
