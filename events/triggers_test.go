package events_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// TestSubjectsOfTriggersArePinned: other languages may read these.
func TestSubjectsOfTriggersArePinned(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		events.TriggersSubject("acme", "trg_a", "00ff"):    "feira.triggers.acme.trg_a.00ff",
		events.DeliveriesSubject("acme", "trg_a"):          "feira.deliveries.acme.trg_a",
		events.KeyTrigger("acme", "trg_a"):                 "acme.trg_a",
		events.KeyTriggersOf("acme"):                       "acme.*",
		events.TriggerSource("acme", "trg_a"):              "/tenants/acme/triggers/trg_a",
		events.BucketTriggers + " " + events.BucketCursors: "feira_triggers feira_cursors",
		events.KeyFanLease + " " + events.KeyFanCursor:     "triggers-fan triggers-fan",
		string(events.LaneOf("asaas/pay_1")):               "5f1f21773ef79be2",
	} {
		require.Equal(t, want, got)
	}
}

func TestTriggersHaveNames(t *testing.T) {
	t.Parallel()
	made := events.NewTrigger("acme", [10]byte{1, 2, 3})
	read, err := events.ParseTriggerID(string(made))
	require.NoError(t, err)
	require.Equal(t, made, read)
	tag, ok := events.TriggerTag(made)
	require.True(t, ok)
	require.Equal(t, events.TenantTag("acme"), tag)
	for _, text := range []string{"", "trg_", "ses_a", "trg_A", "trg_a.b", "trg_a b", "trg_>", "trg_" + string(make([]byte, 70))} {
		_, err := events.ParseTriggerID(text)
		require.ErrorIs(t, err, events.ErrInvalidID, "%q", text)
	}
	_, ok = events.TriggerTag("trg_a")
	require.False(t, ok)
	_, _, _, err = events.SubjectTrigger("feira.sessions.acme.s1")
	require.ErrorIs(t, err, events.ErrForeignSubject)
}
