package webhook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/webhook"
)

// What a listing shows is worded as Asaas would have told it, under an id that
// is the same each time, and says what the event itself would have said.
func TestFindingsAreWhatAsaasWouldHaveTold(t *testing.T) {
	t.Parallel()
	found, more, err := webhook.FindingsOf(`{"hasMore":true,"data":[
		{"id":"pay_1","status":"RECEIVED","paymentDate":"2026-11-29","dateCreated":"2026-11-01","externalReference":"feira_1","value":19.90},
		{"id":"pay_2","status":"PENDING","dateCreated":"2026-11-28","paymentDate":null},
		{"id":"pay_3","status":"RECEIVED","deleted":true,"dateCreated":"2026-11-28"},
		{"id":"pay_4","status":"TELEPORTED","dateCreated":"2026-11-28"},
		{"id":"pay_5","status":"OVERDUE","dueDate":"tomorrow"},
		{"status":"PENDING","dateCreated":"2026-11-28"}, "x", null]}`)
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, found, 2)
	require.Equal(t, "found:PAYMENT_RECEIVED:pay_1", found[0].ID)
	require.True(t, time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC).Equal(found[0].On), "%s: days are those of Brasília", found[0].On)
	require.Equal(t, "PAYMENT_CREATED", found[1].Kind)
	require.JSONEq(t, `{"id":"found:PAYMENT_RECEIVED:pay_1","event":"PAYMENT_RECEIVED","payment":`+
		`{"id":"pay_1","status":"RECEIVED","paymentDate":"2026-11-29","dateCreated":"2026-11-01","externalReference":"feira_1","value":19.90}}`, string(found[0].Body))

	read, err := webhook.Read("asaas", "", found[0].Body)
	require.NoError(t, err)
	require.Equal(t, webhook.Event{ID: found[0].ID, Kind: "PAYMENT_RECEIVED", Fact: events.FactPaymentConfirmed, Object: "pay_1", Reference: "feira_1", Status: "RECEIVED"}, read)
	told, err := webhook.Read("asaas", "", []byte(`{"id":"evt_1","event":"PAYMENT_RECEIVED","payment":{"id":"pay_1","status":"RECEIVED"}}`))
	require.NoError(t, err)
	name, ok := webhook.Findable("asaas", told)
	require.True(t, ok)
	again, ok := webhook.Findable("asaas", read)
	require.True(t, ok)
	require.Equal(t, name, again)

	_, _, err = webhook.FindingsOf(`[`)
	require.ErrorIs(t, err, webhook.ErrUnreadable)
}

func TestWhatNoListingShowsIsNotFindable(t *testing.T) {
	t.Parallel()
	for _, event := range []webhook.Event{{Kind: "PAYMENT_UPDATED", Object: "pay_1"}, {Kind: "PAYMENT_RECEIVED"}, {Kind: "TRANSFER_DONE", Object: "tra_1"}} {
		_, ok := webhook.Findable("asaas", event)
		require.False(t, ok, event.Kind)
	}
	_, ok := webhook.Findable("stripe", webhook.Event{Kind: "PAYMENT_RECEIVED", Object: "pay_1"})
	require.False(t, ok)
}

func TestAWarningIsOneADay(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 1, 0, 0, 0, time.UTC) // still the 29th in Brasília
	first, err := webhook.Warning(events.FactWebhookInterrupted, "hook_1", "interrupted", at)
	require.NoError(t, err)
	require.Equal(t, "found:connection.webhook_interrupted:hook_1:2026-11-29", first.ID)
	same, err := webhook.Warning(events.FactWebhookInterrupted, "hook_1", "interrupted", at.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, first.ID, same.ID)
	next, err := webhook.Warning(events.FactWebhookInterrupted, "hook_1", "interrupted", at.Add(3*time.Hour))
	require.NoError(t, err)
	require.NotEqual(t, first.ID, next.ID)
	read, err := webhook.Read("asaas", "", first.Body)
	require.NoError(t, err)
	require.Empty(t, read.Fact, "a provider that said so would not be believed")
	require.Equal(t, "hook_1", read.Object)
	require.Equal(t, events.FactWebhookInterrupted, webhook.WarningOf(read.Kind))
	require.Empty(t, webhook.WarningOf("PAYMENT_RECEIVED"))
}
