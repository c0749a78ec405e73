package webhook_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/webhook"
)

func big(n int64) string { return strconv.FormatInt(n, 10) }

func TestReadByProvider(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 15, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		server, body string
		want         webhook.Event
	}{
		{
			"stripe", `{"id":"evt_1","type":"payment_intent.succeeded","created":` + big(at.Unix()) + `,"data":{"object":{"id":"pi_1","status":"succeeded","metadata":{"feira_key":"k1"}}}}`,
			webhook.Event{ID: "evt_1", Kind: "payment_intent.succeeded", Fact: events.FactPaymentConfirmed, Object: "pi_1", Status: "succeeded", OccurredAt: at, Reference: "k1"},
		},
		{
			"stripe", `{"id":"evt_2","type":"charge.refunded","data":{"object":{"id":"ch_1","status":"succeeded","payment_intent":{"id":"pi_1"}}}}`,
			webhook.Event{ID: "evt_2", Kind: "charge.refunded", Fact: events.FactPaymentRefunded, Object: "ch_1", Related: []string{"pi_1"}, Status: "succeeded"},
		},
		{
			"stripe", `{"id":"evt_3","type":"checkout.session.completed","data":{"object":{"id":"cs_1","status":"complete","payment_status":"unpaid","payment_intent":"pi_9"}}}`,
			webhook.Event{ID: "evt_3", Kind: "checkout.session.completed", Fact: events.FactPaymentUpdated, Object: "cs_1", Related: []string{"pi_9"}, Status: "complete"},
		},
		{
			"asaas", `{"id":"evt_05b7&368","event":"PAYMENT_RECEIVED","dateCreated":"2026-11-29 12:00:00","payment":{"id":"pay_1","status":"RECEIVED","externalReference":"k2","installment":"ins_1"}}`,
			webhook.Event{
				ID: "evt_05b7&368", Kind: "PAYMENT_RECEIVED", Fact: events.FactPaymentConfirmed, Object: "pay_1", Related: []string{"ins_1"},
				Reference: "k2", Status: "RECEIVED", OccurredAt: at,
			},
		},
		{
			"asaas", `{"id":"evt_2","event":"INVOICE_AUTHORIZED","invoice":{"id":"inv_1","status":"AUTHORIZED","payment":"pay_1"}}`,
			webhook.Event{ID: "evt_2", Kind: "INVOICE_AUTHORIZED", Fact: events.FactInvoiceAuthorized, Object: "inv_1", Related: []string{"pay_1"}, Status: "AUTHORIZED"},
		},
		{
			"asaas", `{"id":"evt_3","event":"ACCOUNT_STATUS_UPDATED"}`, webhook.Event{ID: "evt_3", Kind: "ACCOUNT_STATUS_UPDATED"},
		},
		{
			"melhor-envio", `{"event":"order.posted","data":{"id":"9b1d","protocol":"ORD-1","status":"posted","tracking":"ME1BR","posted_at":"2026-11-29 12:00:00"}}`,
			webhook.Event{Kind: "order.posted", Fact: events.FactShipmentPosted, Object: "9b1d", Related: []string{"ORD-1", "ME1BR"}, Status: "posted", OccurredAt: at},
		},
		{
			"z-api", `{"type":"ReceivedCallback","messageId":"3EB0","phone":"5511999990000","momment":` + big(at.UnixMilli()) + `,"referenceMessageId":"3EB9","text":{"message":"oi"}}`,
			webhook.Event{ID: "ReceivedCallback:3EB0", Kind: "ReceivedCallback", Fact: events.FactMessageReceived, Object: "5511999990000", Related: []string{"3EB9"}, OccurredAt: at},
		},
		{
			"z-api", `{"type":"MessageStatusCallback","status":"READ","ids":["3EB0","3EB1"],"phone":"55"}`,
			webhook.Event{Kind: "MessageStatusCallback", Fact: events.FactMessageRead, Object: "3EB0", Related: []string{"3EB1"}, Status: "READ"},
		},
		{
			"z-api", `{"type":"ReceivedCallback","fromMe":true,"messageId":"3EB0","phone":"55"}`, webhook.Event{Kind: "ReceivedCallback"},
		},
		{
			"crm", `{"type":"verification.approved","timestamp":"2026-11-29T15:00:00Z","data":{"id":"ver_1","status":"approved"}}`,
			webhook.Event{Kind: "verification.approved", Fact: events.FactVerificationApproved, Object: "ver_1", Status: "approved", OccurredAt: at},
		},
		{"crm", `{}`, webhook.Event{}},
	} {
		read, err := webhook.Read(test.server, "", []byte(test.body))
		require.NoError(t, err)
		if test.want.ID == "" {
			require.Regexp(t, `^sha256:[0-9a-f]{64}$`, read.ID)
			test.want.ID = read.ID
		}
		require.Empty(t, cmp.Diff(test.want, read), test.body)
	}
}

// TestReadTakesAnything: whatever a stranger sends, there is an event that is
// fit for the log, or one error.
func TestReadTakesAnything(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "null", "[]", `"x"`, "{", "{}{}", "\x00", "7"} {
		_, err := webhook.Read("asaas", "", []byte(body))
		require.ErrorIs(t, err, webhook.ErrUnreadable, body)
	}
	for _, server := range []string{"stripe", "asaas", "melhor-envio", "z-api", "crm"} {
		for _, body := range []string{
			`{"id":7,"type":[],"event":{},"data":7,"payment":"x","ids":[[]],"created":-1,"momment":1e99,"dateCreated":7}`,
			`{"id":"` + strings.Repeat("x", 500) + `","type":"` + strings.Repeat("é", 500) + `","event":"a\u0000\u202eb\nc","data":{"object":{"id":"` + strings.Repeat("o", 500) + `"}}}`,
			`{"id":"evt 1","created":99999999999999999,"type":"ReceivedCallback","messageId":"\u0000"}`,
			`{"id":"sha256:abc"}`,
		} {
			read, err := webhook.Read(server, "", []byte(body))
			require.NoError(t, err)
			require.NotEqual(t, "sha256:abc", read.ID, "an id cannot claim to be a hash")
			event := events.WebhookReceived{
				Connection: "c", Server: server, Event: read.ID, Kind: read.Kind, Fact: read.Fact, Object: read.Object, Status: read.Status, OccurredAt: read.OccurredAt,
			}
			_, err = events.Encode("feira.sessions.acme.ses_1", events.Envelope{ID: "x", Tenant: "acme"}, &event)
			require.NoError(t, err, body)
			require.NotContains(t, read.Kind, "\n")
		}
	}
}

func TestReadPrefersTheSignedID(t *testing.T) {
	t.Parallel()
	read, err := webhook.Read("crm", "msg_1", []byte(`{"id":"evt_of_the_body","type":"x"}`))
	require.NoError(t, err)
	require.Equal(t, "msg_1", read.ID)
}

func TestValueFindsByPath(t *testing.T) {
	t.Parallel()
	body := []byte(`{"payment":{"value":10.50,"paid":true,"who":{"name":"Ana"}},"n":null}`)
	for path, want := range map[string]string{"payment.value": "10.50", "payment.paid": "true", "payment.who.name": "Ana"} {
		got, ok := webhook.Value(body, path)
		require.True(t, ok, path)
		require.Equal(t, want, got)
	}
	for _, path := range []string{"", "payment", "payment.who", "payment.value.x", "n", "absent"} {
		_, ok := webhook.Value(body, path)
		require.False(t, ok, path)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("stripe", []byte(`{"id":"evt_1","type":"x","data":{"object":{"id":"pi"}}}`))
	f.Add("z-api", []byte(`{"type":"MessageStatusCallback","ids":["a"]}`))
	f.Fuzz(func(t *testing.T, server string, body []byte) {
		read, err := webhook.Read(server, "", body)
		if err != nil {
			require.ErrorIs(t, err, webhook.ErrUnreadable)
			return
		}
		again, err := webhook.Read(server, "", body)
		require.NoError(t, err)
		require.Equal(t, read, again)
		require.NotEmpty(t, read.ID)
		require.LessOrEqual(t, len(read.ID), events.MaxWebhookEvent)
		require.LessOrEqual(t, len(read.Object), events.MaxWebhookWord)
	})
}
