package dialogue_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/session"
)

// statusBundle is a session with a payment that is pending.
type statusBundle struct {
	*Bed

	session events.SessionID
	call    events.ToolCallID
}

func setupStatus(t *testing.T, change func(*config.Config)) *statusBundle {
	t.Helper()
	b := &statusBundle{Bed: Start(t, change)}
	post := func(path, body string, into any) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.Dev.HTTP+path, bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+b.Dev.Key)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, json.NewDecoder(answer.Body).Decode(into))
		require.NoError(t, answer.Body.Close())
	}
	var opened struct{ ID events.SessionID }
	post("/v1/sessions", `{"servers":["stripe"],"user_id":"tenant_acme"}`, &opened)
	b.session = opened.ID
	var called struct {
		Success    bool
		ToolCallID events.ToolCallID `json:"tool_call_id"`
	}
	post("/v1/sessions/"+string(b.session)+"/execute", `{"tool":"stripe__create_payment_intent","input":{"amount":1990,"currency":"brl"}}`, &called)
	require.True(t, called.Success)
	b.call = called.ToolCallID
	return b
}

// tell writes down what a provider told of the call.
func (b *statusBundle) tell(t *testing.T, id string, fact events.Fact) {
	t.Helper()
	log := b.Broker.Log()
	event := &events.WebhookReceived{Connection: "ca_1", Server: "stripe", Event: id, Kind: "payment_intent.word", Fact: fact, Object: "pi_1", ToolCall: b.call}
	require.Eventually(t, func() bool { // others may be writing the end of the call
		records, err := log.Load(t.Context(), "tenant_acme", b.session)
		require.NoError(t, err)
		_, err = log.Append(t.Context(), session.Entry{
			Last: records[len(records)-1].Sequence, Event: event,
			Envelope: events.Envelope{
				ID: session.EventID("", event), Source: events.SessionSource("tenant_acme", b.session), Time: time.Now(), Tenant: "tenant_acme", Session: b.session,
			},
		})
		return err == nil
	}, patience, pace)
}

// statusFrame is a frame of a status stream.
type statusFrame struct {
	event string
	body  struct {
		PaymentStatus string `json:"payment_status"`
		Events        []struct {
			EventType string `json:"event_type"`
		}
	}
}

// stream returns what reads the next frame; false at the stream's end.
func (b *statusBundle) stream(t *testing.T) func() (statusFrame, bool) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.Dev.HTTP+"/v1/tool-calls/"+string(b.call)+"/payment-status/stream", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.Dev.Key)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = answer.Body.Close() })
	require.Equal(t, http.StatusOK, answer.StatusCode)
	lines := bufio.NewReader(answer.Body)
	return func() (frame statusFrame, more bool) {
		for {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				return frame, false
			}
			require.NoError(t, err)
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch name {
			case "event":
				frame.event = value
			case "data":
				require.NoError(t, json.Unmarshal([]byte(value), &frame.body))
				return frame, true
			}
		}
	}
}

// A payment that is pending is streamed until it is paid, as the provider's
// webhooks are written down; what follows the end at once is told, too, and then
// the stream is closed.
func TestPaymentStatusIsStreamed(t *testing.T) {
	t.Parallel()
	b := setupStatus(t, func(c *config.Config) { c.Gateway.Linger = 3 * time.Second })
	next := b.stream(t)
	want := func(event, status string, heard int) {
		t.Helper()
		frame, more := next()
		require.True(t, more)
		require.Equal(t, event, frame.event)
		require.Equal(t, status, frame.body.PaymentStatus)
		require.Len(t, frame.body.Events, heard)
	}
	want("snapshot", "pending", 0)
	b.tell(t, "evt_1", events.FactPaymentUpdated)
	want("update", "updated", 1)
	b.tell(t, "evt_2", events.FactShipmentPosted) // is no news of the payment
	b.tell(t, "evt_3", events.FactPaymentConfirmed)
	want("update", "succeeded", 2)
	want("done", "succeeded", 2)
	b.tell(t, "evt_4", events.FactPaymentRefunded)
	want("update", "refunded", 3)
	_, more := next()
	require.False(t, more, "it is closed a while behind its end, and done is told once")

	again := b.stream(t)
	frame, _ := again()
	require.Equal(t, "snapshot", frame.event, "whoever comes later hears all of it")
	require.Len(t, frame.body.Events, 3)
	frame, _ = again()
	require.Equal(t, "done", frame.event)
}
