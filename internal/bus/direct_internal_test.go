package bus

import (
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/testenv"
)

// The short way of reading an answer is worth nothing when the broker words it
// otherwise, and must then not say something else than the long one.
func TestDeletionIsAnsweredAsExpected(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	b, err := Connect(t.Context(), Config{URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	_, err = b.Provision(t.Context(), Topology{})
	require.NoError(t, err)
	message, err := events.NewRequest(events.RequestParams{Tenant: "tenant_acme"}, events.Request{Message: "hello"})
	require.NoError(t, err)
	sequence, err := b.Requests().Publish(t.Context(), message)
	require.NoError(t, err)

	body, err := json.Marshal(deletion{Sequence: sequence, NoErase: true})
	require.NoError(t, err)
	msg, err := b.nc.RequestWithContext(t.Context(), apiDelete+events.StreamRequests, body)
	require.NoError(t, err)
	if string(msg.Data) != answerDeleted { // to the letter: JSON that is equal would take the long way
		t.Fatalf("the broker answers %s, want %s", msg.Data, answerDeleted)
	}

	var answer leaderAnswer
	require.NoError(t, json.Unmarshal([]byte(answerDeleted), &answer))
	require.Equal(t, leaderAnswer{Success: true}, answer)
	answer, err = b.ask(t.Context(), apiDelete+events.StreamRequests, deletion{Sequence: sequence})
	require.NoError(t, err)
	require.False(t, answer.Success, "it is gone already")
	require.NotNil(t, answer.Error)
}
