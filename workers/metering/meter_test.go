package metering_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/workers/metering"
)

func newMeter(t require.TestingT, market *market, sessions int) *metering.Meter {
	meter, err := metering.NewMeter(metering.MeterConfig{Publisher: market, Log: market, Sessions: sessions})
	require.NoError(t, err)
	return meter
}

func TestMeterConfig(t *testing.T) {
	t.Parallel()
	_, err := metering.NewMeter(metering.MeterConfig{Sessions: -1})
	for _, field := range []string{"publisher", "log", "sessions"} {
		require.ErrorContains(t, err, field)
	}
	_, err = metering.NewWriter(metering.WriterConfig{})
	require.ErrorContains(t, err, "ledger")
}

func TestEachFactIsOneUsageEvent(t *testing.T) {
	t.Parallel()
	market := &market{}
	market.session(t, "acme", "ses_1")
	market.turn(t, events.Envelope{Tenant: "acme", Session: "ses_1", Request: "req_1"}, 2, true)
	require.NoError(t, newMeter(t, market, 0).Handle(t.Context(), market.messages))
	require.Zero(t, market.reads, "the stream tells all")
	require.Len(t, market.published, 4)
	want := market.expected(t)
	for _, message := range market.published {
		require.Equal(t, want[message.Header.Value(events.HeaderMsgID)], message)
	}
}

// However the stream is cut, replayed and lost track of, and however little the
// meter remembers, what it publishes for a fact is the same to the byte, and no
// fact is left out.
func TestUsageFollowsFromTheLogAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		market := markets().Draw(t, "market")
		memory := rapid.IntRange(1, 4).Draw(t, "memory")
		meter := newMeter(t, market, memory)
		for at := 0; at < len(market.messages); {
			end := at + rapid.IntRange(1, len(market.messages)-at).Draw(t, "size")
			fault := rapid.SampledFrom([]string{"none", "none", "killed before publish", "killed before ack", "restart"}).Draw(t, "fault")
			switch fault {
			case "killed before publish":
				market.readFault = errBoom
				if meter.Handle(t.Context(), market.messages[at:end]) == nil {
					at = end // nothing had to be read
				}
				market.readFault = nil
				meter = newMeter(t, market, memory)
				continue
			case "killed before ack":
				market.lose = true
				if meter.Handle(t.Context(), market.messages[at:end]) == nil {
					at = end // nothing was to be published
				}
				market.lose = false
				meter = newMeter(t, market, memory)
				continue
			case "restart":
				meter = newMeter(t, market, memory)
				at = rapid.IntRange(0, at).Draw(t, "delivered again from")
			default:
				require.NoError(t, meter.Handle(t.Context(), market.messages[at:end]))
				at = end
			}
		}
		want := market.expected(t)
		seen := map[string]bool{}
		for _, message := range market.published {
			id := message.Header.Value(events.HeaderMsgID)
			require.Equal(t, want[id], message)
			seen[id] = true
		}
		require.Len(t, seen, len(want))
	})
}

func TestNothingIsDoneWhenTheLogCannotBeRead(t *testing.T) {
	t.Parallel()
	market := &market{readFault: errBoom}
	market.session(t, "acme", "ses_1")
	market.turn(t, events.Envelope{Tenant: "acme", Session: "ses_1", Request: "req_1"}, 1, false)
	meter := newMeter(t, market, 0)
	tail := market.messages[2:] // a restart in the middle
	require.ErrorIs(t, meter.Handle(t.Context(), tail), errBoom)
	require.Empty(t, market.published)
	market.readFault = nil
	require.NoError(t, meter.Handle(t.Context(), tail))
	require.Len(t, market.published, 2)
	require.Equal(t, 2, market.reads, "one read serves the session")
}

// A replica that lags is no reason to bill without knowing whom, but a record
// that has gone from its log must not hold up the stream for ever.
func TestLogThatIsBehindIsReadAgain(t *testing.T) {
	t.Parallel()
	market := &market{short: 5}
	market.session(t, "acme", "ses_1")
	market.turn(t, events.Envelope{Tenant: "acme", Session: "ses_1", Request: "req_1"}, 1, false)
	meter := newMeter(t, market, 0)
	tail := market.messages[2:]
	for range 3 {
		require.ErrorContains(t, meter.Handle(t.Context(), tail), "the log is behind")
	}
	require.Empty(t, market.published)
	market.short = 0
	require.NoError(t, meter.Handle(t.Context(), tail))
	want := market.expected(t)
	for _, message := range market.published {
		require.Equal(t, want[message.Header.Value(events.HeaderMsgID)], message)
	}

	market.messages, market.published = nil, nil // the session was purged
	meter = newMeter(t, market, 0)
	var err error
	for range 20 {
		if err = meter.Handle(t.Context(), tail); err == nil {
			break
		}
	}
	require.NoError(t, err)
	require.Len(t, market.published, 2)
	for _, message := range market.published {
		record, err := events.Decode(message)
		require.NoError(t, err)
		require.Empty(t, record.Event.(*events.UsageRecorded).Environment, "nobody knows it, so nobody guesses it")
	}
}

func TestWhatCannotBeMeteredIsADeadLetter(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*events.Message)
		reason string
		detail string
	}{
		"not JSON":      {func(m *events.Message) { m.Data = []byte("{") }, "malformed", "data"},
		"no id":         {func(m *events.Message) { m.Header.Set(events.HeaderID, "") }, "malformed", events.HeaderID},
		"subject":       {func(m *events.Message) { m.Subject = "feira.sessions.acme" }, "malformed", "feira.sessions.acme"},
		"later version": {func(m *events.Message) { m.Header.Set(events.HeaderType, "feira.tool.returned.v2") }, "unknown_type", "v2"},
		"other tenant":  {func(m *events.Message) { m.Header.Set(events.HeaderTenant, "loja") }, "mismatch", "loja"},
		"other session": {func(m *events.Message) { m.Header.Set(events.HeaderSessionID, "ses_2") }, "mismatch", "ses_2"},
		"no status":     {func(m *events.Message) { m.Data = []byte("{}") }, "invalid", "status"},
		"too large":     {func(m *events.Message) { m.Data = []byte(strings.Repeat("{", 250<<10)) }, "malformed", "data"},
		"long header":   {func(m *events.Message) { m.Header.Set(events.HeaderTenant, strings.Repeat("x", 300<<10)) }, "mismatch", "tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			market := &market{}
			market.session(t, "acme", "ses_1")
			market.turn(t, events.Envelope{Tenant: "acme", Session: "ses_1", Request: "req_1"}, 2, false)
			place := 3 // the first tool call
			row.change(&market.messages[place])
			var log bytes.Buffer
			meter, err := metering.NewMeter(metering.MeterConfig{Publisher: market, Log: market, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			require.NoError(t, meter.Handle(t.Context(), market.messages))
			require.NoError(t, meter.Handle(t.Context(), market.messages))
			require.Len(t, market.published, 8)
			first, again := market.published[:4], market.published[4:]
			require.Equal(t, first, again, "the same the second time")

			record, err := events.Decode(first[1])
			require.NoError(t, err)
			died, ok := record.Event.(*events.LetterDied)
			require.True(t, ok)
			require.Equal(t, events.DeadSubject("acme", events.StreamSessions), first[1].Subject)
			require.Equal(t, row.reason, died.Reason)
			require.Contains(t, died.Detail, row.detail)
			require.Equal(t, uint64(place+1), died.Sequence)
			require.Equal(t, len(market.messages[place].Data), died.Size)
			require.Contains(t, log.String(), row.reason)
			require.Equal(t, "acme:SESSIONS:4", first[1].Header.Value(events.HeaderMsgID))
		})
	}
}
