package events_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

func TestRunsRoundTrip(t *testing.T) {
	t.Parallel()
	token := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`)
	rapid.Check(t, func(t *rapid.T) {
		run := events.Run{
			Tenant:   events.TenantID(token.Draw(t, "tenant")),
			Session:  events.SessionID(token.Draw(t, "session")),
			Kind:     rapid.SampledFrom([]events.Kind{events.KindTurn, events.KindCall}).Draw(t, "kind"),
			Sequence: rapid.Uint64().Draw(t, "sequence"),
			Granted:  time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "granted")).UTC(),
		}
		message := run.Message()
		require.Empty(t, message.Data, "a run travels in headers alone")
		read, err := events.ParseRun(message)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(run, read))
		tenant, key, err := events.SubjectRun(message.Subject)
		require.NoError(t, err)
		require.Equal(t, events.Place{Tenant: tenant, Key: key}, run.Place())
	})
}

func TestRunsOfOneSessionShareAPlace(t *testing.T) {
	t.Parallel()
	turn := func(sequence uint64) events.Run {
		return events.Run{Tenant: "acme", Session: "s1", Kind: events.KindTurn, Sequence: sequence}
	}
	call := func(sequence uint64) events.Run {
		return events.Run{Tenant: "acme", Session: "s1", Kind: events.KindCall, Sequence: sequence}
	}
	require.Equal(t, turn(1).Place(), turn(2).Place(), "one running turn per session")
	require.NotEqual(t, call(1).Place(), call(2).Place(), "calls take no session turn")
	require.NotEqual(t, turn(1).Place(), call(1).Place())
	other := turn(1)
	other.Tenant = "rival"
	require.NotEqual(t, turn(1).Place(), other.Place())
}

func TestRunsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	good := events.Run{Tenant: "acme", Session: "s1", Kind: events.KindTurn, Sequence: 7, Granted: time.Unix(1, 0)}
	for name, spoil := range map[string]func(*events.Message){
		"subject":     func(m *events.Message) { m.Subject = events.RequestsSubject("acme") },
		"no sequence": func(m *events.Message) { m.Header.Set(events.HeaderRequest, "") },
		"sequence":    func(m *events.Message) { m.Header.Set(events.HeaderRequest, "-1") },
		"no time":     func(m *events.Message) { m.Header.Set(events.HeaderTime, "") },
		"time":        func(m *events.Message) { m.Header.Set(events.HeaderTime, "noon") },
		"no headers":  func(m *events.Message) { m.Header = nil },
	} {
		message := good.Message()
		spoil(&message)
		_, err := events.ParseRun(message)
		require.ErrorIs(t, err, events.ErrMalformed, name)
	}
}
