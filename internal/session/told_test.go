package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// told folds a turn of one unknown call, what a provider tells of it, and
// perhaps the turn's end before that.
func told(t *testing.T, ended bool, heard ...*events.WebhookReceived) *session.Turn {
	t.Helper()
	state := session.New("tenant_acme", "ses_1")
	written := []events.Event{
		&events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w", Message: "hello"},
		&events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{{ID: "a", Name: "asaas__get_balance"}, {ID: "b", Name: "asaas__create_payment"}}},
	}
	if ended {
		written = append(written, &events.TurnCompleted{Status: events.TurnCompletedOK})
	}
	for _, event := range heard {
		written = append(written, event)
	}
	for i, event := range written {
		record := events.Record{Sequence: uint64(i + 1), Event: event, Envelope: events.Envelope{Request: "r1", Time: time.Unix(1, 0)}}
		if event.EventType() == events.TypeWebhookReceived {
			record.Request = ""
		}
		require.NoError(t, state.Apply(record))
	}
	if ended {
		require.Len(t, state.History(), 1)
		return state.History()[0]
	}
	turn, ok := state.Turn("r1")
	require.True(t, ok)
	return turn
}

func event(id string, change func(*events.ToolCallPlace)) *events.WebhookReceived {
	place := events.ToolCallPlace{Session: "ses_1", Request: "r1", Iteration: 1, Index: 1}
	if change != nil {
		change(&place)
	}
	return &events.WebhookReceived{Connection: "ca_1", Server: "asaas", Event: id, ToolCall: place.ID()}
}

// What a provider tells stands with the call that it is of, whether the turn
// has ended or not; what is of no call of the session's changes nothing.
func TestWhatIsToldStandsWithItsCall(t *testing.T) {
	t.Parallel()
	late := event("late", nil)
	late.Late = true
	for name, row := range map[string]struct {
		heard []*events.WebhookReceived
		want  string
	}{
		"one":                   {[]*events.WebhookReceived{event("evt_1", nil)}, "evt_1"},
		"the latest":            {[]*events.WebhookReceived{event("evt_1", nil), event("evt_2", nil)}, "evt_2"},
		"late behind another":   {[]*events.WebhookReceived{event("evt_1", nil), late}, "evt_1"},
		"late alone":            {[]*events.WebhookReceived{late}, "late"},
		"of another request":    {[]*events.WebhookReceived{event("x", func(p *events.ToolCallPlace) { p.Request = "r2" })}, ""},
		"of another session":    {[]*events.WebhookReceived{event("x", func(p *events.ToolCallPlace) { p.Session = "ses_2" })}, ""},
		"of another call":       {[]*events.WebhookReceived{event("x", func(p *events.ToolCallPlace) { p.Index = 0 })}, ""},
		"of a reply that is no": {[]*events.WebhookReceived{event("x", func(p *events.ToolCallPlace) { p.Iteration = 9 })}, ""},
		"of no call":            {[]*events.WebhookReceived{{Connection: "ca_1", Server: "asaas", Event: "x", ToolCall: "nonsense"}, {Event: "y"}}, ""},
	} {
		for _, ended := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				found := told(t, ended, row.heard...).Told(session.Intent{Iteration: 1, Index: 1})
				if row.want == "" {
					require.Nil(t, found)
					return
				}
				require.NotNil(t, found)
				require.Equal(t, row.want, found.Event)
			})
		}
	}
}
