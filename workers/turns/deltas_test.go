package turns_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/workers/turns"
)

// toldBook is a teller that keeps what it is given.
type toldBook struct {
	mu   sync.Mutex
	told []events.ModelDelta
	of   map[events.SessionID]int
	err  error
}

func (b *toldBook) Delta(_ events.TenantID, session events.SessionID, delta events.ModelDelta) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = make(map[events.SessionID]int)
	}
	b.of[session]++
	b.told = append(b.told, delta)
	return b.err
}

func (b *toldBook) take() []events.ModelDelta {
	b.mu.Lock()
	defer b.mu.Unlock()
	told := b.told
	b.told = nil
	return told
}

// hearing runs deltas within a synctest bubble.
func hearing(t *testing.T, book *toldBook) *turns.Deltas {
	t.Helper()
	deltas, err := turns.NewDeltas(turns.DeltasConfig{Teller: book, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, deltas.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, deltas.Stop(context.WithoutCancel(t.Context()))) })
	return deltas
}

func piece(session events.SessionID, iteration int, text string) agent.Delta {
	return agent.Delta{Tenant: acme, Session: session, Request: "r1", Iteration: iteration, Text: text}
}

func over(session events.SessionID) agent.Delta {
	return agent.Delta{Tenant: acme, Session: session, Request: "r1", Iteration: 1, Over: true}
}

// interval waits until what was gathered has left.
func interval() {
	<-time.After(turns.DefaultDeltaEvery)
	synctest.Wait()
}

func delta(iteration int, text string) events.ModelDelta {
	return events.ModelDelta{Request: "r1", Iteration: iteration, Text: text}
}

func TestTextIsGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		book := &toldBook{}
		deltas := hearing(t, book)
		deltas.Hear(piece("s1", 1, "good"))
		require.Equal(t, []events.ModelDelta{delta(1, "good")}, book.take(), "the first text leaves at once")
		deltas.Hear(piece("s1", 1, " day"))
		deltas.Hear(piece("s1", 1, " to"))
		require.Empty(t, book.take())
		interval()
		require.Equal(t, []events.ModelDelta{delta(1, " day to")}, book.take())
		interval()
		deltas.Hear(piece("s1", 1, " you"))
		deltas.Hear(piece("s1", 1, "!"))
		deltas.Hear(over("s1"))
		require.Equal(t, []events.ModelDelta{delta(1, " you"), delta(1, "!")}, book.take(), "the rest leaves before the reply is written")
		deltas.Hear(over("s1"))
		deltas.Hear(over("s2"))
		interval()
		require.Empty(t, book.take())

		deltas.Hear(piece("s1", 1, "a"))
		deltas.Hear(piece("s1", 1, "b"))
		deltas.Hear(piece("s1", 2, "c"))
		require.Equal(t, []events.ModelDelta{delta(1, "a"), delta(1, "b"), delta(2, "c")}, book.take(), "replies are told apart")
	})
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		book := &toldBook{}
		deltas := hearing(t, book)
		deltas.Hear(piece("s1", 1, "first"))
		for range 3 {
			deltas.Hear(piece("s1", 1, strings.Repeat("é", turns.MaxDeltaText/2-1)+"."))
		}
		interval()
		told := book.take()
		require.Len(t, told, 2)
		require.LessOrEqual(t, len(told[1].Text), turns.MaxDeltaText)
		require.GreaterOrEqual(t, len(told[1].Text), turns.MaxDeltaText-2)
		require.True(t, utf8.ValidString(told[1].Text))
		deltas.Hear(piece("s2", 1, strings.Repeat("x", turns.MaxDeltaText)))
		deltas.Hear(piece("s3", 1, strings.Repeat("x", turns.MaxDeltaText+1)))
		told = book.take()
		require.Len(t, told[0].Text, turns.MaxDeltaText)
		require.Len(t, told[1].Text, turns.MaxDeltaText)
	})
}

// A thousand chatty models make no flood, and none of them waits for ever.
func TestFloodIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const models = 3 * turns.MaxDeltas
		book := &toldBook{}
		deltas := hearing(t, book)
		said := 0
		for range 10 {
			for i := range models {
				deltas.Hear(piece(events.SessionID("s"+strconv.Itoa(i)), 1, "word "))
				said++
			}
			require.LessOrEqual(t, len(book.take()), turns.MaxDeltas)
			interval()
		}
		require.Len(t, book.of, models, "everybody has been heard")
		for range 4 {
			book.take()
			interval()
		}
		require.Empty(t, book.take(), "nothing is left behind")
	})
}

func TestTellingMayFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		book := &toldBook{err: errors.New("gone")}
		deltas := hearing(t, book)
		for range 3 {
			deltas.Hear(piece("s1", 1, "word"))
			interval()
		}
		require.Len(t, book.take(), 3, "and is tried again with the next text")
	})
}

func TestDeltasNeedTheirPorts(t *testing.T) {
	t.Parallel()
	_, err := turns.NewDeltas(turns.DeltasConfig{Teller: &toldBook{}})
	require.ErrorContains(t, err, "logger")
}
