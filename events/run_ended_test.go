package events_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

func TestEndedRunsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ended := events.RunEnded{
			Tenant:   events.TenantID(rapid.StringMatching(`[A-Za-z0-9_][A-Za-z0-9_-]{0,63}`).Draw(t, "tenant")),
			Sequence: rapid.Uint64().Draw(t, "sequence"),
			Released: rapid.Bool().Draw(t, "released"),
		}
		read, err := events.ParseRunEnded(ended.Subject())
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(ended, read))
		require.True(t, matches(events.SubjectAllDone, ended.Subject()))
	})
}

func TestEndedRunsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		"", "feira.done.acme", "feira.done.acme.7", "feira.done.acme.7.lost", "feira.done.acme.-1.served",
		"feira.done.acme.x.served", "feira.done.acme.7.served.more", "feira.gone.acme.7.served", "other.done.acme.7.served",
	} {
		_, err := events.ParseRunEnded(subject)
		require.ErrorIs(t, err, events.ErrForeignSubject, subject)
	}
}
