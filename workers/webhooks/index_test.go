package webhooks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
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
