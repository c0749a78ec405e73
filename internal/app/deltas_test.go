package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// listening waits for request r1 of session told, and makes it.
func listening(ctx context.Context, t *testing.T, b *testBundle) (*waits.Turn, *events.TurnCompleted) {
	t.Helper()
	broker, err := b.operator.kit.broker(ctx)
	require.NoError(t, err)
	hub, err := waits.New(ctx, waits.Config{Feed: broker.Feed(), Log: broker.Log(), Deltas: broker.Hints(), Logger: b.operator.kit.log})
	require.NoError(t, err)
	t.Cleanup(hub.Close)
	turn, err := hub.Turn(ctx, waits.TurnParams{Tenant: "tenant_acme", Session: "told", Request: "r1", From: waits.Now(), Deltas: true})
	require.NoError(t, err)
	end := b.deliver(t, events.RequestParams{Tenant: "tenant_acme", Session: "told", ID: "r1"}, events.Request{Message: "What is the balance now?"})
	return turn, end
}

// TestAnswerIsToldAsItArrives: through the whole of Feira, a client that waits
// hears the answer before it is in the log.
func TestAnswerIsToldAsItArrives(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	turn, end := listening(ctx, t, setup(t))

	told := make(map[int]string)
	for !turn.Outcome().Ended() {
		item, err := turn.Next(ctx)
		require.NoError(t, err)
		if delta := item.Delta; delta != nil {
			told[delta.Iteration] += delta.Text
		}
		if item.Record == nil {
			continue
		}
		if reply, ok := item.Record.Event.(*events.ModelReplied); ok {
			require.Equal(t, reply.Text, told[reply.Iteration], "the preview of reply %d is whole before it", reply.Iteration)
		}
	}
	outcome := turn.Outcome()
	require.Equal(t, end, outcome.Ending)
	require.Equal(t, end.Message, told[end.Iterations])
	require.NotEmpty(t, strings.TrimSpace(end.Message))
	require.Len(t, outcome.Calls, end.ToolCalls)
}

func TestNothingIsToldWhereDeltasAreOff(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	turn, end := listening(ctx, t, setup(t, func(cfg *config.Config) { cfg.Model.Deltas = config.DeltasOff }))
	for !turn.Outcome().Ended() {
		item, err := turn.Next(ctx)
		require.NoError(t, err)
		require.Nil(t, item.Delta)
	}
	require.Equal(t, end, turn.Outcome().Ending)
	require.Equal(t, events.TurnCompletedOK, end.Status)
}
