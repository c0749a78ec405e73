package triggers_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/workers/triggers"
)

func objectOf(body []byte) string {
	var read struct {
		Object string `json:"object"`
	}
	_ = json.Unmarshal(body, &read)
	return read.Object
}

func fact(t *testing.T, tenant events.TenantID, event events.Event) events.Message {
	t.Helper()
	message, err := events.Encode(events.SessionSubject(tenant, "ses_1"), events.Envelope{
		ID: "turn/1", Source: events.SessionSource(tenant, "ses_1"), Time: time.Now(), Tenant: tenant, Session: "ses_1", Request: "req_1",
	}, event)
	require.NoError(t, err)
	return message
}

func TestFactsFanOutToTheirTenantsTriggersAlone(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	s.open(t, "acme", "one")
	s.open(t, "acme", "two")
	s.open(t, "loja", "three")
	stopped := s.open(t, "acme", "four")
	stopped.Status = trigger.StatusStopped
	s.put(stopped)
	fan, err := triggers.NewFan(triggers.FanConfig{Book: s, Publisher: s})
	require.NoError(t, err)
	done := &events.TurnCompleted{Status: events.TurnCompletedOK, Message: "done"}
	forged := fact(t, "loja", done)
	forged.Subject = events.SessionSubject("acme", "ses_1") // the subject is the broker's word, the headers anybody's
	broken := fact(t, "acme", done)
	broken.Data = []byte("{")
	require.NoError(t, fan.Handle(t.Context(), []events.Message{
		fact(t, "acme", done), fact(t, "acme", &events.TurnStarted{RequestSequence: 1, Attempt: 1, Kind: events.KindTurn}), fact(t, "other", done), forged, broken,
	}))
	require.Len(t, s.stream, 2)
	ids := map[string]bool{}
	for _, message := range s.stream {
		tenant, _, _, err := events.SubjectTrigger(message.Subject)
		require.NoError(t, err)
		require.Equal(t, events.TenantID("acme"), tenant)
		ids[message.Header.Value(events.HeaderMsgID)] = true
	}
	require.Len(t, ids, 2)
}
