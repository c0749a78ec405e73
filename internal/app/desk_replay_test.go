package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

// replayBundle is a trigger that was told of turns, with what is remembered of that.
type replayBundle struct {
	*fanBench

	desk  *desk
	dead  *bus.Dead
	began time.Time // an hour ago
	of    trigger.Trigger
	told  []events.Message // as they were first told
}

func setupReplay(t *testing.T, turns int) *replayBundle {
	t.Helper()
	b := &replayBundle{fanBench: setupFan(t), began: time.Now().Add(-time.Hour).UTC().Truncate(time.Second)}
	k := newKit(b.cfg, b.telemetry(t))
	t.Cleanup(k.close)
	var err error
	b.desk, err = k.desk(t.Context())
	require.NoError(t, err)
	broker, err := k.broker(t.Context())
	require.NoError(t, err)
	b.dead = broker.Dead()
	b.open(t, 1)
	all, err := b.store.List(t.Context(), fanTenant(0))
	require.NoError(t, err)
	b.of, err = b.desk.set(t.Context(), fanTenant(0), all[0].ID, trigger.StatusActive)
	require.NoError(t, err)
	for n := range turns {
		b.turn(t, fanTenant(0), n)
		b.published(t)
		fact, found, err := b.desk.log.Fact(t.Context(), uint64(4*(n+1)))
		require.NoError(t, err)
		require.True(t, found)
		record, err := events.Decode(fact)
		require.NoError(t, err)
		event, ok := trigger.FromRecord(record)
		require.True(t, ok)
		message, err := trigger.Delivery(b.of, event)
		require.NoError(t, err)
		b.told = append(b.told, message)
	}
	return b
}

// attempt remembers one of the nth turn's delivery, minutes after the beginning.
func (b *replayBundle) attempt(t *testing.T, n, minutes int, came events.DeliveryOutcome) {
	t.Helper()
	event := &events.DeliveryAttempted{
		Trigger: b.of.ID, ID: b.id(n), Event: trigger.NameTurnCompleted, Object: "ses", Outcome: came, Cause: uint64(4 * (n + 1)),
	}
	if came != events.DeliveryDone {
		event.Error = "timeout"
	}
	message, err := events.Encode(events.DeliveriesSubject(b.of.Tenant, b.of.ID), events.Envelope{
		ID: fmt.Sprint(b.id(n), "/", minutes), Source: events.TriggerSource(b.of.Tenant, b.of.ID), Type: event.EventType(),
		Time: b.began.Add(time.Duration(minutes) * time.Minute), Tenant: b.of.Tenant, Session: "ses_1",
	}, event)
	require.NoError(t, err)
	require.NoError(t, b.desk.streams.Publish(t.Context(), []events.Message{message}))
}

func (b *replayBundle) id(n int) string { return b.told[n].Header.Value(events.HeaderID) }

// waiting are the deliveries that are to be told, in order.
func (b *replayBundle) waiting(t *testing.T) []events.Message {
	t.Helper()
	stream, err := b.js.Stream(t.Context(), events.StreamTriggers)
	require.NoError(t, err)
	var all []events.Message
	for sequence := uint64(1); sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
		message, found, err := b.desk.streams.Read(t.Context(), sequence)
		require.NoError(t, err)
		if found {
			all = append(all, message)
		}
	}
	return all
}

func (b *replayBundle) replay(t *testing.T, what TriggerReplay) int {
	t.Helper()
	n, err := b.desk.replay(t.Context(), b.of.Tenant, b.of.ID, what)
	require.NoError(t, err)
	return n
}

func TestWhatWasDeliveredIsToldAgainUnderItsID(t *testing.T) {
	t.Parallel()
	b := setupReplay(t, 3)
	b.attempt(t, 0, 1, events.DeliveryFailed)
	b.attempt(t, 0, 2, events.DeliveryDone)
	b.attempt(t, 1, 3, events.DeliveryFailed) // and waits
	b.attempt(t, 2, 4, events.DeliveryDone)
	require.Zero(t, b.replay(t, TriggerReplay{}), "nothing was given up")
	require.Equal(t, 1, b.replay(t, TriggerReplay{Delivery: b.id(0)}))
	require.Zero(t, b.replay(t, TriggerReplay{Delivery: b.id(1)}), "it is told anyway")
	_, err := b.desk.replay(t.Context(), b.of.Tenant, b.of.ID, TriggerReplay{Delivery: "msg_0"})
	require.ErrorIs(t, err, ErrUnknownDelivery)
	waiting := b.waiting(t)
	require.Len(t, waiting, 1)
	require.Equal(t, b.told[0].Subject, waiting[0].Subject)
	require.Equal(t, b.told[0].Data, waiting[0].Data, "byte for byte, its webhook-id included")
	b.replay(t, TriggerReplay{Delivery: b.id(0)})
	require.Len(t, b.waiting(t), 1, "who asks twice has it told once more, not twice")
	b.attempt(t, 0, 5, events.DeliveryDone)
	b.replay(t, TriggerReplay{Delivery: b.id(0)})
	require.Len(t, b.waiting(t), 2, "until it was told, and is asked for again")
}

func TestARangeIsToldAgainInOrder(t *testing.T) {
	t.Parallel()
	b := setupReplay(t, 5)
	b.attempt(t, 0, 1, events.DeliveryDone)
	b.attempt(t, 3, 2, events.DeliveryDone)
	b.attempt(t, 1, 3, events.DeliveryDone) // after it had failed for a while
	b.attempt(t, 2, 4, events.DeliveryDone)
	at := func(minutes int) time.Time { return b.began.Add(time.Duration(minutes) * time.Minute) }
	require.Zero(t, b.replay(t, TriggerReplay{Since: at(5)}))
	require.Equal(t, 3, b.replay(t, TriggerReplay{Since: at(2)}), "at or after it")
	var ids []string
	for _, message := range b.waiting(t) {
		ids = append(ids, message.Header.Value(events.HeaderID))
	}
	require.Equal(t, []string{b.id(1), b.id(2), b.id(3)}, ids, "in the order of what happened")

	// What was given up belongs to the range too, and is its letter's.
	b.attempt(t, 4, 6, events.DeliveryDead)
	require.NoError(t, b.dead.Bury(t.Context(), b.of.Tenant, events.LetterDied{
		Stream: events.StreamTriggers, Sequence: 100, Subject: b.told[4].Subject, Reason: "gave_up", Detail: "it was down",
		Header: b.told[4].Header, Data: b.told[4].Data, Size: len(b.told[4].Data), Deliveries: 1,
	}))
	require.Equal(t, 4, b.replay(t, TriggerReplay{Since: at(2)}))
	require.Equal(t, b.id(4), b.waiting(t)[3].Header.Value(events.HeaderID))
	letters, err := b.desk.streams.Letters(t.Context(), b.of.Tenant, b.of.ID)
	require.NoError(t, err)
	require.Empty(t, letters)
}

// What waits and was never tried is known; what is another trigger's, of the
// tenant or of somebody else, is as unknown here as what was never there.
func TestADeliveryIsKnownToItsTriggerAlone(t *testing.T) {
	t.Parallel()
	b := setupReplay(t, 2)
	require.NoError(t, b.desk.streams.Publish(t.Context(), b.told[:1]))
	require.Zero(t, b.replay(t, TriggerReplay{Delivery: b.id(0)}), "it is told anyway")
	b.attempt(t, 1, 1, events.DeliveryFailed) // and is given up, and its letter dropped
	require.Zero(t, b.replay(t, TriggerReplay{Delivery: b.id(1)}))
	for _, owner := range []tenant.ID{fanTenant(0), fanTenant(1)} {
		other := b.of
		other.ID, other.Tenant = events.NewTrigger(owner, [10]byte{9}), owner
		require.NoError(t, b.store.Create(t.Context(), other))
		for n := range b.told {
			_, err := b.desk.replay(t.Context(), owner, other.ID, TriggerReplay{Delivery: b.id(n)})
			require.ErrorIs(t, err, ErrUnknownDelivery)
		}
	}
}

func TestWhoseFactIsGoneIsNotToldAgain(t *testing.T) {
	t.Parallel()
	b := setupReplay(t, 2)
	b.attempt(t, 0, 1, events.DeliveryDone)
	b.attempt(t, 1, 2, events.DeliveryDone)
	stream, err := b.js.Stream(t.Context(), events.StreamSessions)
	require.NoError(t, err)
	require.NoError(t, stream.DeleteMsg(t.Context(), 4))
	require.Zero(t, b.replay(t, TriggerReplay{Delivery: b.id(0)}))
	require.Equal(t, 1, b.replay(t, TriggerReplay{Since: b.began}))

	_, err = b.desk.set(t.Context(), b.of.Tenant, b.of.ID, trigger.StatusPaused)
	require.NoError(t, err)
	_, err = b.desk.replay(t.Context(), b.of.Tenant, b.of.ID, TriggerReplay{Delivery: b.id(1)})
	require.ErrorIs(t, err, ErrInactiveTrigger)
	_, err = b.desk.replay(t.Context(), b.of.Tenant, "trg_none", TriggerReplay{})
	require.ErrorIs(t, err, ErrUnknownTrigger)
}
