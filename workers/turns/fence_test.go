package turns_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/workers/turns"
)

// badLine is a log behind a line that loses questions and answers: an append
// fails as uncertain, before or after the broker has stored it. It notes who
// wrote what.
type badLine struct {
	turns.Log
	author string
	lose   func() loss

	mu      *sync.Mutex
	written map[uint64]string // author by sequence
}

type loss int

const (
	loseNothing loss = iota
	loseQuestion
	loseAnswer
)

func (l *badLine) Append(ctx context.Context, entry session.Entry) (uint64, error) {
	lost := l.lose()
	if lost == loseQuestion {
		return 0, fmt.Errorf("%w: the question was lost", session.ErrUncertain)
	}
	sequence, err := l.Log.Append(ctx, entry)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	l.written[sequence] = l.author
	l.mu.Unlock()
	if lost == loseAnswer {
		return 0, fmt.Errorf("%w: the answer was lost", session.ErrUncertain)
	}
	return sequence, nil
}

// Rival workers on one run, over lines that lose questions and answers: in the
// end there is one ending, each reply and each outcome stands in the log once,
// and nobody has written after having been taken over.
func TestFenceHoldsAmongRivals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.model = func(_ context.Context, prompt agent.Prompt) (agent.Reply, error) {
		if prompt.Messages[len(prompt.Messages)-1].Role == agent.RoleTool {
			return agent.Reply{Text: "done"}, nil
		}
		return agent.Reply{ToolCalls: []events.ToolCall{
			{ID: "a", Name: "stripe__retrieve_balance", Arguments: `{}`},
			{ID: "b", Name: "stripe__create_refund", Arguments: `{}`},
		}}, nil
	}
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		run := b.ask(t, events.SessionID("ses_"+strconv.Itoa(rounds)), "req_1", "hello")
		rivals := rapid.IntRange(2, 4).Draw(rt, "rivals")
		losses := rapid.SliceOfN(rapid.SampledFrom([]loss{loseNothing, loseNothing, loseQuestion, loseAnswer}), 8, 8).Draw(rt, "losses")
		var mu sync.Mutex
		written, drawn := map[uint64]string{}, 0
		next := func() loss {
			mu.Lock()
			defer mu.Unlock()
			drawn++
			if drawn > len(losses) {
				return loseNothing
			}
			return losses[drawn-1]
		}
		worker := func(id string) *turns.Worker {
			alone := &testBundle{bus: b.bus, model: b.model, tenants: b.tenants, log: &badLine{Log: b.bus.Log(), author: id, lose: next, mu: &mu, written: written}}
			return alone.worker(rt, id)
		}
		var handling sync.WaitGroup
		for rival := range rivals {
			rival := worker("w" + strconv.Itoa(rival))
			handling.Go(func() {
				err := rival.Handle(t.Context(), run, 2)
				if err != nil && !errors.Is(err, outcome.ErrFenced) {
					rt.Errorf("a rival failed otherwise than by the fence: %v", err)
				}
			})
		}
		handling.Wait()
		require.NoError(rt, worker("last").Handle(t.Context(), run, 3))
		requireOneStory(rt, b.records(rt, run), written)
	})
}

func requireOneStory(t require.TestingT, records []events.Record, written map[uint64]string) {
	owner := ""
	count := map[string]int{}
	for _, record := range records {
		switch event := record.Event.(type) {
		case *events.SessionOpened:
			count["opened"]++
			continue // whoever comes first opens, owner or not
		case *events.TurnStarted:
			owner = event.Worker[:len(event.Worker)-len("#1")]
		case *events.TurnCompleted:
			count["completed"]++
		default:
			count[record.ID]++
		}
		require.Equal(t, owner, written[record.Sequence], "%s was written by one who does not own the turn\n%s", record.ID, telling(records, written))
	}
	for id, n := range count {
		require.Equal(t, 1, n, "%s stands in the log %d times", id, n)
	}
	require.Equal(t, 1, count["completed"])
}

// telling is a log with the author of each record.
func telling(records []events.Record, written map[uint64]string) string {
	text := ""
	for _, record := range records {
		text += fmt.Sprintf("%d %s by %s\n", record.Sequence, record.ID, written[record.Sequence])
	}
	return text
}
