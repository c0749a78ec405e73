package events_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestWebhooksRoundTrip(t *testing.T) {
	t.Parallel()
	sent := events.Webhook{
		Tenant: "acme", Server: "asaas", Connection: "con_1", Event: "msg_1", Unsigned: true, Found: true,
		Received: time.Date(2026, 11, 29, 12, 0, 0, 1000, time.UTC), Body: []byte("{not json"),
	}
	message := sent.Message()
	require.Equal(t, "feira.webhooks.acme.asaas", message.Subject)
	read, err := events.ParseWebhook(message)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(sent, read))
}

func TestWebhooksOfNobodyAreRefused(t *testing.T) {
	t.Parallel()
	good := events.Webhook{Tenant: "acme", Server: "asaas", Connection: "con_1", Received: time.Unix(1, 0)}.Message()
	for name, change := range map[string]func(*events.Message){
		"subject":    func(m *events.Message) { m.Subject = "feira.usage.acme.asaas" },
		"tenant":     func(m *events.Message) { m.Subject = "feira.webhooks._x.asaas" },
		"server":     func(m *events.Message) { m.Subject = "feira.webhooks.acme." },
		"connection": func(m *events.Message) { m.Header.Set(events.HeaderConnection, "") },
		"time":       func(m *events.Message) { m.Header.Set(events.HeaderTime, "noon") },
	} {
		message := events.Message{Subject: good.Subject, Header: maps.Clone(good.Header)}
		change(&message)
		_, err := events.ParseWebhook(message)
		require.Error(t, err, name)
	}
}

func TestInboxesAreOfOneConnection(t *testing.T) {
	t.Parallel()
	one := events.InboxSession("acme", "con_1")
	require.Equal(t, one, events.InboxSession("acme", "con_1"))
	require.NotEqual(t, one, events.InboxSession("acme", "con_2"))
	require.NotEqual(t, one, events.InboxSession("loja", "con_1"))
	tag, ok := events.SessionTag(one)
	require.True(t, ok)
	require.Equal(t, events.TenantTag("acme"), tag)
}

func TestWebhookReceivedNamesItsFaults(t *testing.T) {
	t.Parallel()
	good := events.WebhookReceived{Connection: "con_1", Server: "asaas", Event: "evt_1&2", Kind: "PAYMENT_RECEIVED"}
	require.NoError(t, good.Validate())
	for want, event := range map[string]events.WebhookReceived{
		"connection is missing": {Server: "asaas", Event: "e"},
		"server is missing":     {Connection: "c", Event: "e"},
		"event is missing":      {Connection: "c", Server: "asaas"},
		"event has 257 bytes":   {Connection: "c", Server: "asaas", Event: strings.Repeat("e", 257)},
		"object has 257 bytes":  {Connection: "c", Server: "asaas", Event: "e", Object: strings.Repeat("o", 257)},
	} {
		require.ErrorContains(t, event.Validate(), want)
	}
}
