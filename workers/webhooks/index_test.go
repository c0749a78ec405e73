package webhooks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/webhooks"
)

// answered is the fact, of one session, that a call answered with an object.
func answered(t *testing.T, ses events.SessionID, tool, object string, sequence uint64) events.Message {
	t.Helper()
	env := events.Envelope{ID: string(ses) + object, Source: events.SessionSource("acme", ses), Time: time.Now(), Tenant: "acme", Session: ses, Request: "req_1"}
	message, err := events.Encode(events.SessionSubject("acme", ses), env, &events.ToolReturned{
		CallID: "c", Name: "asaas__" + tool, Server: "asaas", Tool: tool, Status: events.ToolOK, Output: `{"id":"` + object + `"}`, Attempts: 1,
	})
	require.NoError(t, err)
	message.Sequence = sequence
	return message
}

// A refund answers with the id of what it refunds. Whoever made that has made it,
// whether the index hears of both in one batch, or of the later one first, as it
// may where two processes share its consumer.
func TestWhoAnsweredFirstHasMadeIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme", paid(tenant.SessionMaker)))
	b.log(t, "acme", "ses_maker", &events.SessionOpened{Servers: []string{"asaas"}, Environment: events.EnvironmentTest})
	const objects = 50
	var batch, later, earlier []events.Message
	for n := range uint64(objects) {
		object := fmt.Sprint("pay_", n)
		batch = append(batch, answered(t, "ses_maker", "create_payment", object, 100+2*n), answered(t, "ses_other", "refund_payment", object, 101+2*n))
		object = fmt.Sprint("far_", n)
		later = append(later, answered(t, "ses_other", "refund_payment", object, 500+n))
		earlier = append(earlier, answered(t, "ses_maker", "create_payment", object, 400+n))
	}
	for _, heard := range [][]events.Message{batch, later, earlier, batch, later} { // the last two come again
		require.NoError(t, b.index.Handle(t.Context(), heard))
	}
	var sent []events.Webhook
	for n := range objects {
		sent = append(sent, webhook("acme", fmt.Sprint("evt_pay_", n), fmt.Sprint("pay_", n), noonish), webhook("acme", fmt.Sprint("evt_far_", n), fmt.Sprint("far_", n), noonish))
	}
	b.hand(t, sent...)
	require.Len(t, b.told(t, "acme", "ses_maker"), 2*objects)
	require.Empty(t, b.told(t, "acme", "ses_other"))
}

// While the index is behind, an event that came since then may be of a call that
// it has not learned of. Once it has, the event goes to whoever made its object;
// what it learns between the two looks counts as well.
func TestAnEventWaitsForTheIndex(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme", paid(tenant.SessionMaker)))
	sent := webhook("acme", "evt_1", "pay_1", noonish)
	sent.Received = b.now().Add(-2 * time.Minute) // the grace is one
	batch := []webhooks.Delivery{{Message: sent.Message(), Count: 1}}
	for _, short := range []time.Duration{time.Hour, time.Second, 1} {
		behind := sent.Received.Add(time.Minute - short)
		b.behind.Store(&behind)
		b.offset.Add(int64(time.Second))
		require.Error(t, b.worker.Handle(t.Context(), batch)[0], "%s behind", short)
	}
	require.Empty(t, b.everything(t, "acme"))
	b.pay(t, "acme", "ses_maker", "pay_1")
	at := sent.Received.Add(time.Minute)
	b.behind.Store(&at)
	b.offset.Add(int64(time.Second))
	require.NoError(t, b.worker.Handle(t.Context(), batch)[0])
	require.Len(t, b.told(t, "acme", "ses_maker"), 1)
	require.Len(t, b.asked(t), 1)
}

// What counts is when the broker took an event in: the gateway's clock is another.
func TestAnEventIsAsYoungAsTheBrokerSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme"))
	told := webhook("acme", "evt_1", "pay_1", noonish)
	told.Received = b.now().Add(-9 * time.Minute) // says the gateway
	sent := told.Message()
	sent.Time = b.now().Add(-30 * time.Second)
	batch := []webhooks.Delivery{{Message: sent, Count: 1}}
	require.Error(t, b.worker.Handle(t.Context(), batch)[0])
	require.Zero(t, b.looks.Load(), "the index cannot have come to a moment that is to come")
	b.offset.Store(int64(31 * time.Second))
	require.NoError(t, b.worker.Handle(t.Context(), batch)[0])
}

// An index that never gets there is not waited for beyond the patience.
func TestAnEventWaitsForTheIndexOnlySoLong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme"))
	stuck := time.Unix(0, 0)
	b.behind.Store(&stuck)
	sent := webhook("acme", "evt_1", "pay_1", noonish)
	sent.Received = b.now()
	batch := []webhooks.Delivery{{Message: sent.Message(), Count: 1}}
	b.offset.Store(int64(webhooks.DefaultPatience - time.Minute))
	require.Error(t, b.worker.Handle(t.Context(), batch)[0])
	b.offset.Store(int64(webhooks.DefaultPatience))
	require.NoError(t, b.worker.Handle(t.Context(), batch)[0])
	require.Len(t, b.told(t, "acme", events.InboxSession("acme", "ca_acme")), 1)
}

// However many events wait, the broker is asked now and then, and of those that
// came before what is known already not at all.
func TestTheIndexIsAskedNowAndThen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme"))
	var many []events.Webhook
	for n := range 40 {
		many = append(many, webhook("acme", fmt.Sprint("evt_", n), fmt.Sprint("pay_", n), noonish))
	}
	b.hand(t, many...)
	require.Equal(t, int64(1), b.looks.Load())
	stuck := time.Unix(0, 0)
	b.behind.Store(&stuck)
	now := b.now()
	b.offset.Store(int64(time.Hour))
	var batch []webhooks.Delivery
	for n := range 40 {
		sent := webhook("acme", fmt.Sprint("late_", n), fmt.Sprint("new_", n), noonish)
		sent.Received = now.Add(time.Hour - 2*time.Minute)
		batch = append(batch, webhooks.Delivery{Message: sent.Message(), Count: 1})
	}
	began := time.Now()
	for _, err := range b.worker.Handle(t.Context(), batch) {
		require.Error(t, err)
	}
	require.LessOrEqual(t, b.looks.Load(), 2+int64(time.Since(began)/(100*time.Millisecond)))
}
