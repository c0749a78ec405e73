package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

const shopTrigger events.TriggerID = "trg_shop"

func queuedDelivery(t *testing.T, trigger events.TriggerID, n int) events.Message {
	t.Helper()
	id := fmt.Sprint("msg_", trigger, n)
	message, err := events.Encode(events.TriggersSubject(acme, trigger, events.LaneOf("pay_1")), events.Envelope{
		ID: id, Source: events.TriggerSource(acme, trigger), Time: time.Unix(1_700_000_000, 0).UTC(), Tenant: acme,
	}, &events.DeliveryQueued{Trigger: trigger, ID: id, Event: "payment.confirmed", Object: "pay_1", Body: []byte(`{"id":1}`)})
	require.NoError(t, err)
	message.Header.Set(events.HeaderMsgID, string(acme)+"/"+id)
	return message
}

func TestDeliveriesWaitUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	streams := b.bus.Triggers()
	first, second := queuedDelivery(t, shopTrigger, 1), queuedDelivery(t, shopTrigger, 2)
	require.NoError(t, streams.Publish(t.Context(), []events.Message{first, second}))
	require.NoError(t, streams.Publish(t.Context(), []events.Message{first, second}), "again, which stores nothing")
	ctx, enough := context.WithCancel(t.Context())
	var heads []events.Headline
	require.NoError(t, streams.Watch(ctx, func(batch []events.Headline, caughtUp bool) error {
		heads = append(heads, batch...)
		if caughtUp {
			enough()
		}
		return nil
	}))
	require.Len(t, heads, 2)
	for i, sent := range []events.Message{first, second} {
		require.Equal(t, sent.Subject, heads[i].Subject)
		require.Empty(t, heads[i].Data, "a body is read when it is its turn")
		read, found, err := streams.Read(t.Context(), heads[i].Sequence)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, sent.Data, read.Data)
	}
	require.NoError(t, streams.Remove(t.Context(), heads[0].Sequence))
	require.NoError(t, streams.Remove(t.Context(), heads[0].Sequence), "what is gone already")
	_, found, err := streams.Read(t.Context(), heads[0].Sequence)
	require.NoError(t, err)
	require.False(t, found)
}

func TestTheLastAttemptsAreRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	streams := b.bus.Triggers()
	attempt := func(trigger events.TriggerID, n int) events.Message {
		message, err := events.Encode(events.DeliveriesSubject(acme, trigger), events.Envelope{
			ID: fmt.Sprint(trigger, "/", n), Source: events.TriggerSource(acme, trigger), Time: time.Unix(1_700_000_000, 0).UTC(), Tenant: acme,
		}, &events.DeliveryAttempted{Trigger: trigger, ID: fmt.Sprint("msg_", n), Event: "a.b", Object: "o", Outcome: events.DeliveryDone})
		require.NoError(t, err)
		return message
	}
	count := func(limit int) []string {
		records, err := streams.Attempts(t.Context(), acme, shopTrigger, limit)
		require.NoError(t, err)
		var ids []string
		for _, record := range records {
			ids = append(ids, record.Event.(*events.DeliveryAttempted).ID)
		}
		return ids
	}
	require.Empty(t, count(10))
	messages := []events.Message{attempt("trg_other", 1)}
	for n := range events.MaxDeliveriesKept {
		messages = append(messages, attempt(shopTrigger, n))
	}
	require.NoError(t, streams.Publish(t.Context(), messages[:4]))
	require.Equal(t, []string{"msg_2", "msg_1"}, count(2), "the newest first, and no more than asked for")
	require.Equal(t, []string{"msg_2", "msg_1", "msg_0"}, count(3))
	require.Equal(t, []string{"msg_2", "msg_1", "msg_0"}, count(4), "nor another's")
	require.NoError(t, streams.Publish(t.Context(), messages[4:]))
	all := count(2 * events.MaxDeliveriesKept)
	require.Len(t, all, events.MaxDeliveriesKept)
	require.Equal(t, "msg_0", all[len(all)-1])
	require.NoError(t, streams.Publish(t.Context(), []events.Message{attempt(shopTrigger, events.MaxDeliveriesKept)}))
	all = count(2 * events.MaxDeliveriesKept)
	require.Len(t, all, events.MaxDeliveriesKept, "one more pushes the oldest out")
	require.Equal(t, "msg_1", all[len(all)-1])
	require.Equal(t, fmt.Sprint("msg_", events.MaxDeliveriesKept), all[0])
}

func TestLettersOfATriggerAreItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	streams := b.bus.Triggers()
	for n, trigger := range []events.TriggerID{shopTrigger, "trg_other", shopTrigger} {
		died := queuedDelivery(t, trigger, n)
		require.NoError(t, b.bus.Dead().Bury(t.Context(), acme, events.LetterDied{
			Stream: events.StreamTriggers, Sequence: uint64(n) + 1, Subject: died.Subject, Reason: "gave_up", Detail: "it was down",
			Header: died.Header, Data: died.Data, Size: len(died.Data), Deliveries: 1,
		}))
	}
	letters, err := streams.Letters(t.Context(), acme, shopTrigger)
	require.NoError(t, err)
	require.Len(t, letters, 2)
	require.Equal(t, uint64(1), letters[0].Event.(*events.LetterDied).Sequence, "in order of their deaths")
	require.NoError(t, streams.DropLetter(t.Context(), letters[0].Sequence))
	require.NoError(t, streams.DropLetter(t.Context(), letters[0].Sequence), "what is gone already")
	left, err := streams.Letters(t.Context(), acme, shopTrigger)
	require.NoError(t, err)
	require.Equal(t, letters[1:], left)
	none, err := streams.Letters(t.Context(), "loja", shopTrigger)
	require.NoError(t, err)
	require.Empty(t, none)
}
