package webhook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/webhook"
)

// A sample says what was asked for.
func TestSampleIsReadAsAsked(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 15, 0, 0, 0, time.UTC)
	for server, kind := range map[string]string{
		"stripe": "payment_intent.succeeded", "asaas": "PAYMENT_RECEIVED", "melhor-envio": "order.posted", "z-api": "ReceivedCallback", "crm": "payment.confirmed",
	} {
		body, err := webhook.Sample(server, webhook.SampleParams{ID: "evt_1", Kind: kind, Object: "5511999990000", Status: "done", At: at})
		require.NoError(t, err)
		read, err := webhook.Read(server, "", body)
		require.NoError(t, err)
		require.Equal(t, kind, read.Kind, server)
		require.Equal(t, "5511999990000", read.Object, server)
		require.Equal(t, "done", read.Status, server)
		require.True(t, at.Equal(read.OccurredAt), "%s: %s", server, read.OccurredAt)
		require.NotEmpty(t, read.Fact, server)
	}
	body, err := webhook.Sample("z-api", webhook.SampleParams{ID: "x", Kind: "MessageStatusCallback", Object: "3EB0", Status: "READ", At: at})
	require.NoError(t, err)
	read, err := webhook.Read("z-api", "", body)
	require.NoError(t, err)
	require.Equal(t, "3EB0", read.Object)
}
