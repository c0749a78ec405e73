package metering_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/workers/metering"
)

const (
	streamSessions = 12
	streamTurns    = 3
	streamReplies  = 2
	eventually     = 20 * time.Second
)

// fill writes sessions to the broker as workers do and returns how many facts
// make usage.
func fill(t *testing.T, broker *bus.Bus) int {
	t.Helper()
	facts := 0
	for n := range streamSessions {
		source := &market{}
		tenant, id := events.TenantID("tenant_"+strconv.Itoa(n%3)), events.SessionID("ses_"+strconv.Itoa(n))
		source.session(t, tenant, id)
		for turn := range streamTurns {
			source.turn(t, events.Envelope{Tenant: tenant, Session: id, Request: events.RequestID("req_" + strconv.Itoa(turn))}, streamReplies, turn == 1)
		}
		var last uint64
		for _, message := range source.messages {
			record, err := events.Decode(message)
			require.NoError(t, err)
			last, err = broker.Log().Append(t.Context(), session.Entry{Envelope: record.Envelope, Event: record.Event, Last: last})
			require.NoError(t, err)
		}
		facts += len(source.expected(t))
	}
	return facts
}

// start runs a handler on a stream until the test ends.
func start(t *testing.T, broker *bus.Bus, config bus.BatchConfig) {
	t.Helper()
	config.Max, config.Idle, config.RetryBase = 7, 50*time.Millisecond, 5*time.Millisecond
	part, err := broker.NewBatches(config)
	require.NoError(t, err)
	require.NoError(t, part.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, part.Stop(context.WithoutCancel(t.Context()))) })
}

// The whole way on a real broker and a real database, with batches that fail
// and consumers that begin again: the ledger holds each fact once.
func TestSessionsBecomeRowsOnce(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	broker, err := bus.Connect(t.Context(), bus.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	_, err = broker.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	facts := fill(t, broker)
	book := openLedger(t)

	runMeter := func(durable string) {
		meter, err := metering.NewMeter(metering.MeterConfig{Publisher: broker.Usage(), Log: broker.Log(), Sessions: 2})
		require.NoError(t, err)
		batches := 0
		start(t, broker, bus.BatchConfig{Stream: events.StreamSessions, Durable: durable, Handler: func(ctx context.Context, batch []events.Message) error {
			err := meter.Handle(ctx, batch)
			if batches++; batches%4 == 1 {
				return errBoom // after all was published
			}
			return err
		}})
	}
	runWriter := func() {
		writer := newWriter(t, book, nil)
		batches := 0
		start(t, broker, bus.BatchConfig{Stream: events.StreamUsage, Durable: events.DurableLedger, Handler: func(ctx context.Context, batch []events.Message) error {
			err := writer.Handle(ctx, batch)
			if batches++; batches%3 == 1 {
				return errBoom // after the commit
			}
			return err
		}})
	}
	runMeter(events.DurableMeter)
	runWriter()
	requireRows(t, book, facts)
	first := totals(t, book)
	require.Len(t, first, 3)

	// Both read everything again, as after the loss of their consumers.
	runMeter("meter_again")
	read := make(chan struct{})
	writer, seen := newWriter(t, book, nil), 0
	start(t, broker, bus.BatchConfig{Stream: events.StreamUsage, Durable: "ledger_again", Handler: func(ctx context.Context, batch []events.Message) error {
		if err := writer.Handle(ctx, batch); err != nil {
			return err
		}
		if before := seen; before < facts && before+len(batch) >= facts {
			close(read)
		}
		seen += len(batch)
		return nil
	}})
	select {
	case <-read:
	case <-time.After(eventually):
		require.Fail(t, "the stream was not read again")
	}
	requireRows(t, book, facts)
	exact := cmp.Comparer(func(a, b usage.Amount) bool { return a == b })
	require.Empty(t, cmp.Diff(first, totals(t, book), exact))
	calls, err := book.ToolCalls(t.Context(), usage.ToolCallFilter{Limit: usage.MaxPage})
	require.NoError(t, err)
	require.Len(t, calls.Calls, streamSessions*streamTurns*streamReplies)
	for _, call := range calls.Calls {
		require.Equal(t, map[string]string{"tenant_id": string(call.Tenant), "session": string(call.Session), "request": string(call.Request)}, call.Metadata)
	}
}

func requireRows(t *testing.T, book *ledger.Ledger, want int) {
	t.Helper()
	require.Eventually(t, func() bool {
		found, err := book.Verify(t.Context())
		return err == nil && found.OK() && found.Rows == want
	}, eventually, 10*time.Millisecond)
}

func totals(t *testing.T, book *ledger.Ledger) map[events.TenantID]usage.Totals {
	t.Helper()
	tenants, err := book.Tenants(t.Context(), usage.Period{})
	require.NoError(t, err)
	found := map[events.TenantID]usage.Totals{}
	for _, tenant := range tenants {
		found[tenant], err = book.Totals(t.Context(), tenant, usage.Period{})
		require.NoError(t, err)
	}
	return found
}
