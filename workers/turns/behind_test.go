package turns_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// A worker may remember less of a session than its log holds, for others have
// served it since. What it finds there of the request in hand is then nobody's
// fence: a started one is taken over and an ended one is done, at once and not
// a lease later.
func TestWorkerThatIsBehindLooksAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		since []events.Event // written after the worker folded the session
		want  []string
	}{
		"left unfinished elsewhere": {
			[]events.Event{started("gone", 1)},
			[]string{"opened", "started 1", "model", "completed", "started 1", "started 2", "model", "completed"},
		},
		"left unfinished twice": {
			[]events.Event{started("gone", 1), started("gone too", 2)},
			[]string{"opened", "started 1", "model", "completed", "started 1", "started 2", "started 3", "model", "completed"},
		},
		"ended elsewhere": {
			[]events.Event{started("gone", 1), &events.TurnCompleted{Status: events.TurnCompletedOK}},
			[]string{"opened", "started 1", "model", "completed", "started 1", "completed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			worker := b.worker(t, "w1")
			earlier := b.ask(t, "ses_1", "req_0", "hello")
			require.NoError(t, worker.Handle(t.Context(), earlier, 1))
			run := b.ask(t, "ses_1", "req_1", "hello")
			records := b.records(t, run)
			last := records[len(records)-1].Sequence
			for _, event := range test.since {
				last = b.write(t, last, event)
			}
			require.NoError(t, worker.Handle(t.Context(), run, 1))
			require.Equal(t, test.want, b.story(t, run))
		})
	}
}

func started(worker string, attempt int) *events.TurnStarted {
	return &events.TurnStarted{Kind: events.KindTurn, Attempt: attempt, Worker: worker, Message: "hello"}
}
