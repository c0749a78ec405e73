package bus

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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

	msg, err := b.exchange.ask(t.Context(), removal(events.StreamRequests, sequence))
	require.NoError(t, err)
	if string(msg.Data) != answerDeleted { // to the letter: JSON that is equal would take the long way
		t.Fatalf("the broker answers %s, want %s", msg.Data, answerDeleted)
	}
	require.NoError(t, b.Requests().removed(t.Context(), sequence, msg))

	msg, err = b.exchange.ask(t.Context(), removal(events.StreamRequests, sequence))
	require.NoError(t, err)
	require.NotEqual(t, answerDeleted, string(msg.Data), "it is gone already")
	require.NoError(t, b.Requests().removed(t.Context(), sequence, msg), "which is no error")
}

// The same of a publication's answer, from a stream's first sequence on.
func TestPublicationIsAnsweredAsExpected(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	b, err := Connect(t.Context(), Config{URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	_, err = b.Provision(t.Context(), Topology{})
	require.NoError(t, err)
	for want := range uint64(12) {
		answer, err := b.exchange.ask(t.Context(), &nats.Msg{Subject: events.RequestsSubject("tenant_acme")})
		require.NoError(t, err)
		sequence, ok := plainAck(answer.Data)
		require.True(t, ok, "%s", answer.Data)
		require.Equal(t, want+1, sequence)
	}
}

// Whatever the short way takes, the JSON decoder reads the same.
func TestPlainAckTakesNothingElse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		`{"stream":"RUNS","seq":1}`:                    1,
		`{"stream":"RUNS","seq":18446744073709551615}`: 1<<64 - 1,
		`{"stream":"RUNS", "seq":1}`:                   0,
		`{"stream":"RUNS","seq":1,"duplicate": true}`:  0,
		`{"stream":"RUNS","seq":18446744073709551616}`: 0,
		`{"stream":"RUNS","seq":}`:                     0,
		`{"stream":"RUNS","seq":-1}`:                   0,
		`{"stream":"","seq":1}`:                        0,
		`{"stream":"a","b":"c","seq":1}`:               0,
		`{"error":{"code":503}}`:                       0,
		``:                                             0,
	} {
		sequence, ok := plainAck([]byte(text))
		require.Equal(t, want != 0, ok, text)
		require.Equal(t, want, sequence, text)
	}
	for _, text := range []string{`{"stream":"RUNS", "seq":7}`, `{"stream":"RUNS","seq":7,"duplicate": true,"domain":"hub"}`} {
		sequence, err := storedAt([]byte(text))
		require.NoError(t, err)
		require.EqualValues(t, 7, sequence)
	}
	_, err := storedAt([]byte(`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 4"},"stream":"RUNS","seq":0}`))
	require.True(t, isStale(err))
	for _, text := range []string{``, `{}`, `null`, `{"seq":1}`, `{"stream":"RUNS","seq":"1"}`} {
		_, err := storedAt([]byte(text))
		require.ErrorIs(t, err, jetstream.ErrInvalidJSAck, text)
		require.ErrorIs(t, explained(err), ErrUncertain, "what cannot be read may be stored: %s", text)
	}
}
