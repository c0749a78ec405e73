package natskv_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/trigger"
)

func (b *bench) triggers(t *testing.T) *natskv.Triggers {
	t.Helper()
	triggers, err := b.client(t, "").Triggers(t.Context())
	require.NoError(t, err)
	return triggers
}

// someTrigger is a tenant's nth, the younger the higher.
func someTrigger(owner events.TenantID, n byte) trigger.Trigger {
	return trigger.Trigger{
		ID: events.NewTrigger(owner, [10]byte{255 - n}), Tenant: owner, Environment: "test", Name: "hooks", Event: trigger.All,
		URL: "https://shop.example/hooks", Status: trigger.StatusActive, CreatedAt: time.Unix(1_700_000_000+int64(n), 0).UTC(),
	}
}

func TestTriggersAreKept(t *testing.T) {
	t.Parallel()
	triggers := setup(t).triggers(t)
	first, second, other := someTrigger("acme", 1), someTrigger("acme", 2), someTrigger("acme2", 1)
	for _, made := range []trigger.Trigger{second, other, first} {
		require.NoError(t, triggers.Create(t.Context(), made))
	}
	require.ErrorIs(t, triggers.Create(t.Context(), first), natskv.ErrConflict)
	all, err := triggers.List(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]trigger.Trigger{first, second}, all), "the oldest first, and nobody else's")
	got, found, err := triggers.Lookup(t.Context(), "acme", second.ID)
	require.NoError(t, err)
	require.True(t, found)
	require.Empty(t, cmp.Diff(second, got))
	_, found, err = triggers.Lookup(t.Context(), "acme2", second.ID)
	require.NoError(t, err)
	require.False(t, found, "another tenant has it not")

	require.NoError(t, triggers.Delete(t.Context(), "acme", first.ID))
	require.NoError(t, triggers.Delete(t.Context(), "acme", first.ID), "deleting what is not there")
	_, found, err = triggers.Lookup(t.Context(), "acme", first.ID)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, triggers.Create(t.Context(), first), "its place is free again")
}

func TestAmendmentsOfATriggerDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	triggers := setup(t).triggers(t)
	made := someTrigger("acme", 1)
	require.NoError(t, triggers.Create(t.Context(), made))
	const hands = 8
	faults := make([]error, hands)
	var all sync.WaitGroup
	for hand := range hands {
		all.Go(func() {
			_, _, faults[hand] = triggers.Amend(t.Context(), "acme", made.ID, func(found *trigger.Trigger) { found.Name += "+" })
		})
	}
	all.Wait()
	require.Equal(t, make([]error, hands), faults)
	got, found, err := triggers.Amend(t.Context(), "acme", made.ID, func(found *trigger.Trigger) { found.Tenant, found.ID = "other", "trg_other" })
	require.NoError(t, err)
	require.True(t, found)
	made.Name += "++++++++"
	require.Empty(t, cmp.Diff(made, got), "and it keeps its id and its tenant")
	_, found, err = triggers.Amend(t.Context(), "acme", "trg_none", func(*trigger.Trigger) {})
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, triggers.Delete(t.Context(), "acme", made.ID))
	_, found, err = triggers.Amend(t.Context(), "acme", made.ID, func(*trigger.Trigger) {})
	require.NoError(t, err)
	require.False(t, found, "what is deleted is not amended")
}

func TestMalformedTriggersArePassedOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	triggers, kv := b.triggers(t), b.bucket(t, events.BucketTriggers)
	made := someTrigger("acme", 1)
	require.NoError(t, triggers.Create(t.Context(), made))
	for key, text := range map[string]string{"acme.trg_a": `{"id":`, "acme.trg_b": `{"id":"trg_b","tenant":"other"}`, "acme.trg_c": ``} {
		_, err := kv.Put(t.Context(), key, []byte(text))
		require.NoError(t, err)
	}
	all, err := triggers.List(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]trigger.Trigger{made}, all))
	for _, id := range []events.TriggerID{"trg_a", "trg_b", "trg_c"} {
		require.Contains(t, b.logs.String(), "key=acme."+string(id))
		_, _, err = triggers.Lookup(t.Context(), "acme", id)
		require.ErrorIs(t, err, natskv.ErrMalformed)
		_, _, err = triggers.Amend(t.Context(), "acme", id, func(*trigger.Trigger) {})
		require.ErrorIs(t, err, natskv.ErrMalformed)
	}
}

func TestTheBookFollows(t *testing.T) {
	t.Parallel()
	triggers := setup(t).triggers(t)
	first, second := someTrigger("acme", 1), someTrigger("acme", 2)
	require.NoError(t, triggers.Create(t.Context(), first))
	book := natskv.NewTriggerBook(triggers)
	require.NoError(t, book.Start(t.Context()))
	defer func() { require.NoError(t, book.Stop(t.Context())) }()
	require.Equal(t, []trigger.Trigger{first}, book.Of("acme"), "it has caught up")
	heard := make(chan trigger.Key, 16)
	defer book.OnChange(func(key trigger.Key) { heard <- key })()
	key := func(of trigger.Trigger) trigger.Key { return trigger.Key{Tenant: of.Tenant, Trigger: of.ID} }
	require.Equal(t, key(first), <-heard, "first of each that is known")
	require.NoError(t, triggers.Create(t.Context(), second))
	require.Equal(t, key(second), <-heard)
	_, _, err := triggers.Amend(t.Context(), "acme", first.ID, func(found *trigger.Trigger) { found.Status = trigger.StatusPaused })
	require.NoError(t, err)
	require.Equal(t, key(first), <-heard)
	got, known := book.Lookup(key(first))
	require.True(t, known)
	require.Equal(t, trigger.StatusPaused, got.Status)
	require.NoError(t, triggers.Delete(t.Context(), "acme", first.ID))
	require.Equal(t, key(first), <-heard)
	_, known = book.Lookup(key(first))
	require.False(t, known)
	require.True(t, slices.Equal([]trigger.Trigger{second}, book.Of("acme")))
	require.Empty(t, book.Of("acme2"))
}
