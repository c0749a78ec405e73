package bus_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func letter(sequence uint64) events.LetterDied {
	return events.LetterDied{
		Stream: events.StreamRequests, Sequence: sequence, Subject: events.RequestsSubject(acme), Reason: "invalid_request",
		Detail: "header Feira-Kind is wrong", Header: events.Header{events.HeaderKind: {"x"}}, Data: []byte(`{}`), Size: 2, Deliveries: 1,
	}
}

func TestDeadLettersAreOneForEachMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := letter(7)
	require.NoError(t, b.bus.Dead().Bury(t.Context(), acme, first))
	require.NoError(t, b.bus.Dead().Bury(t.Context(), acme, first), "again")
	require.NoError(t, b.bus.Dead().Bury(t.Context(), acme, letter(8)))
	require.NoError(t, b.bus.Dead().Bury(t.Context(), globex, first), "another tenant's of the same place is another")
	require.NoError(t, b.bus.Dead().Bury(t.Context(), events.IllegalTenant, first), "nobody's")

	letters, err := b.bus.Dead().List(t.Context(), acme)
	require.NoError(t, err)
	require.Len(t, letters, 2)
	require.Equal(t, "REQUESTS/7", letters[0].ID)
	require.Equal(t, acme, letters[0].Tenant)
	require.Empty(t, cmp.Diff(&first, letters[0].Event))
	letters, err = b.bus.Dead().List(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, letters, 4)
}

func TestDeadLetterOfALargeMessageKeepsItsSize(t *testing.T) {
	t.Parallel()
	b := setup(t)
	large := letter(7)
	large.Data = make([]byte, events.MaxEventBytes)
	require.NoError(t, b.bus.Dead().Bury(t.Context(), acme, large))
	letters, err := b.bus.Dead().List(t.Context(), acme)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	got, ok := letters[0].Event.(*events.LetterDied)
	require.True(t, ok)
	require.Empty(t, got.Data)
	require.Equal(t, events.MaxEventBytes, got.Size)
	require.Equal(t, large.Header, got.Header)
}
