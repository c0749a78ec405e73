package metering_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/workers/metering"
)

func openLedger(t *testing.T) *ledger.Ledger {
	t.Helper()
	book, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(t.TempDir(), "ledger.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, book.Close()) })
	return book
}

func newWriter(t *testing.T, book metering.Ledger, logger *slog.Logger) *metering.Writer {
	t.Helper()
	writer, err := metering.NewWriter(metering.WriterConfig{Ledger: book, Logger: logger})
	require.NoError(t, err)
	return writer
}

// metered is the usage of a small market.
func metered(t *testing.T) []events.Message {
	t.Helper()
	market := &market{}
	for _, tenant := range []events.TenantID{"acme", "loja"} {
		market.session(t, tenant, "ses_1")
		market.turn(t, events.Envelope{Tenant: tenant, Session: "ses_1", Request: "req_1"}, 3, false)
	}
	require.NoError(t, newMeter(t, market, 0).Handle(t.Context(), market.messages))
	for i := range market.published {
		market.published[i].Sequence = uint64(i + 1)
	}
	return market.published
}

func TestWriterBooksOnce(t *testing.T) {
	t.Parallel()
	book := openLedger(t)
	writer := newWriter(t, book, nil)
	messages := metered(t)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, len(messages)-1).Draw(t, "from")
		to := rapid.IntRange(from, len(messages)).Draw(t, "to")
		require.NoError(t, writer.Handle(t.Context(), messages[from:to]))
	})
	require.NoError(t, writer.Handle(t.Context(), messages))
	for _, tenant := range []events.TenantID{"acme", "loja"} {
		totals, err := book.Totals(t.Context(), tenant, usage.Period{})
		require.NoError(t, err)
		calls, err := totals.Sum(events.MeterToolCall, events.UnitCall)
		require.NoError(t, err)
		require.Equal(t, "3", calls.String())
		tokens, err := totals.Sum(events.MeterModelReply, events.UnitOutputToken)
		require.NoError(t, err)
		require.Equal(t, "6", tokens.String())
	}
}

func TestWriterTellsOfContradictionsAndQuarantine(t *testing.T) {
	t.Parallel()
	book := openLedger(t)
	var log bytes.Buffer
	writer := newWriter(t, book, slog.New(slog.NewTextHandler(&log, nil)))
	messages := metered(t)
	require.NoError(t, writer.Handle(t.Context(), messages))
	require.Empty(t, log.String())

	other := messages[0]
	other.Data = bytes.Replace(other.Data, []byte(`"ok"`), []byte(`"error"`), 1)
	foreign := messages[1]
	foreign.Subject = events.UsageSubject("loja", events.MeterToolCall)
	require.NoError(t, writer.Handle(t.Context(), []events.Message{other, foreign, {Subject: "feira.usage.acme.x"}, messages[2]}))
	require.Contains(t, log.String(), "conflicts=1")
	require.Contains(t, log.String(), "quarantined=2")
	require.Contains(t, log.String(), "mismatch")
	log.Reset()

	late := messages[0]
	late.Header = maps.Clone(late.Header)
	late.Header.Set(events.HeaderID, "late")
	at, err := time.Parse(time.RFC3339Nano, late.Header.Value(events.HeaderTime))
	require.NoError(t, err)
	late.Time = at.AddDate(0, 2, 0)
	require.NoError(t, writer.Handle(t.Context(), []events.Message{late}))
	require.Contains(t, log.String(), "too_late")
	log.Reset()

	correct := func(id, corrects string) events.Message {
		message, err := events.Encode(events.UsageSubject("acme", events.MeterToolCall), events.Envelope{ID: id, Source: "/corrections", Time: at, Tenant: "acme"},
			&events.UsageCorrected{Meter: events.MeterToolCall, CorrectsSource: "/corrections", CorrectsID: corrects, Kind: events.CorrectionVoid, Reason: "x"})
		require.NoError(t, err)
		return message
	}
	require.NoError(t, writer.Handle(t.Context(), []events.Message{correct("a", "nothing"), correct("b", "a")}))
	require.Contains(t, log.String(), "refused_correction")
}

// brokenLedger fails before or after it has recorded.
type brokenLedger struct {
	*ledger.Ledger
	after bool
}

func (b brokenLedger) Stage(batch usage.Batch) (func(context.Context) (usage.Outcome, error), error) {
	return func(ctx context.Context) (usage.Outcome, error) {
		if b.after {
			if _, err := b.Record(ctx, batch); err != nil {
				return usage.Outcome{}, err
			}
		}
		return usage.Outcome{}, errBoom
	}, nil
}

func TestWriterIsNotDoneBeforeTheLedgerIs(t *testing.T) {
	t.Parallel()
	book := openLedger(t)
	messages := metered(t)
	require.ErrorIs(t, newWriter(t, brokenLedger{Ledger: book}, nil).Handle(t.Context(), messages), errBoom)
	totals, err := book.Totals(t.Context(), "acme", usage.Period{})
	require.NoError(t, err)
	require.Empty(t, totals)

	// Killed between the commit and the acknowledgement: the batch comes again.
	require.ErrorIs(t, newWriter(t, brokenLedger{Ledger: book, after: true}, nil).Handle(t.Context(), messages), errBoom)
	require.NoError(t, newWriter(t, book, nil).Handle(t.Context(), messages))
	found, err := book.Verify(t.Context())
	require.NoError(t, err)
	require.True(t, found.OK())
	require.Equal(t, len(messages), found.Rows)
}
