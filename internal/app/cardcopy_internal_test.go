package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

// cardBundle is a ledger, its copy in a real broker, and who counts by it.
type cardBundle struct {
	server  *testenv.Server
	bus     *bus.Bus
	books   *ledger.Ledger
	records *natskv.Records
	copier  *cardCopy
	changed chan struct{}
	live    *tariffs
}

func setupCards(t *testing.T) *cardBundle {
	t.Helper()
	server, log := testenv.NATS(t), slog.New(slog.DiscardHandler)
	b := &cardBundle{server: server, changed: make(chan struct{}, 64)}
	var err error
	b.bus, err = bus.Connect(t.Context(), bus.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: log})
	require.NoError(t, err)
	t.Cleanup(b.bus.Close)
	_, err = b.bus.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	kv, err := natskv.Connect(t.Context(), natskv.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: log})
	require.NoError(t, err)
	t.Cleanup(kv.Close)
	b.records, err = kv.Records(t.Context(), events.BucketRateCards)
	require.NoError(t, err)
	b.books, err = ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(testenv.Dir(t), "ledger.db"), Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.books.Close()) })
	b.copier = &cardCopy{books: b.books, records: b.records, log: log}
	b.live = b.counter()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.live.Watch(ctx, func() { b.changed <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return b
}

// counter is one that has heard of nothing.
func (b *cardBundle) counter() *tariffs {
	return &tariffs{records: b.records, copies: &copiedCards{}, log: slog.New(slog.DiscardHandler), set: noCards(errCardsUnknown), check: 50 * time.Millisecond}
}

func (b *cardBundle) apply(t *testing.T, version, text string) {
	t.Helper()
	applied, err := b.books.ApplyCard(t.Context(), version, []byte(text))
	require.NoError(t, err)
	require.True(t, applied)
	b.copy(t, true)
}

func (b *cardBundle) copy(t *testing.T, want bool) {
	t.Helper()
	changed, err := b.copier.once(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, changed)
}

// hears waits until the one that watches has heard of a change.
func (b *cardBundle) hears(t *testing.T) {
	t.Helper()
	select {
	case <-b.changed:
	case <-time.After(time.Minute):
		require.FailNow(t, "it hears of no change")
	}
}

// afresh is who has just come.
func (b *cardBundle) afresh(t *testing.T) *tariffs {
	t.Helper()
	set, err := b.counter().snapshot(t.Context())
	require.NoError(t, err)
	return &tariffs{set: set}
}

// call is what a tool call costs in November of 2026, or why nobody knows.
func call(by *tariffs, id tenant.ID) string {
	prices := by.Of(id)
	cost, err := prices.Cost("BRL", prices.Month(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)), budget.Use{Calls: 1})
	if err != nil {
		return err.Error()
	}
	return cost.String()
}

// Until somebody says which cards bill nobody knows a price. A card counts for
// whom it is and from when it is, for who watches as for who has just come.
func TestCardsReachWhoCounts(t *testing.T) {
	t.Parallel()
	b := setupCards(t)
	require.Contains(t, call(b.live, "acme"), "it is not known yet")
	require.Contains(t, call(b.afresh(t), "acme"), "it is not known yet")
	b.copy(t, true)
	b.hears(t)
	b.copy(t, false)
	for _, step := range []struct{ version, from, head, price, acme, loja string }{
		{"all-1", "2026-01-01T00:00:00Z", "", "0.2", "0.2", "0.2"},
		{"acme-1", "2026-02-01T00:00:00Z", `"tenants":["acme"],`, "0.3", "0.3", "0.2"},
		{"all-2", "2026-11-01T00:00:00-03:00", "", "0.4", "0.3", "0.4"},
		{"late", "2026-11-01T00:00:00.1-03:00", "", "9", "0.3", "0.4"}, // in force when December begins
		{"cost", "2026-11-01T00:00:00-03:00", `"kind":"cost",`, "9", "0.3", "0.4"},
	} {
		applied, err := b.books.ApplyCard(t.Context(), step.version, []byte(plainCard(step.version, step.from, step.head, step.price, "0", "0")))
		require.NoError(t, err)
		require.True(t, applied)
		b.copy(t, step.version != "cost")
		if step.version != "cost" {
			b.hears(t)
		}
		for _, by := range []*tariffs{b.live, b.afresh(t)} {
			require.Equal(t, []string{step.acme, step.loja}, []string{call(by, "acme"), call(by, "loja")}, step.version)
		}
		b.copy(t, false)
	}
}

// A card that cannot be read here stops those for whom it is in force, and nobody
// else; one of which not even that can be read stops everybody.
func TestUnreadableCardStopsWhomItIsFor(t *testing.T) {
	t.Parallel()
	b := setupCards(t)
	later := plainCard("later", "2026-01-01T00:00:00Z", `"tenants":["acme"],"moon_phase":"full",`, "0.1", "0", "0")
	b.apply(t, "later", later)
	b.hears(t)
	for _, by := range []*tariffs{b.live, b.afresh(t)} {
		require.Equal(t, "rate card later cannot be read by this version of Feira", call(by, "acme"))
		require.Equal(t, "0.005", call(by, "loja"))
	}
	b.apply(t, "next", plainCard("next", "2026-02-01T00:00:00Z", `"tenants":["acme"],`, "0.7", "0", "0"))
	b.hears(t)
	require.Equal(t, "0.7", call(b.live, "acme"), "the one before it is not in force any more")
	b.apply(t, "noise", "\x00 no card")
	b.hears(t)
	for _, by := range []*tariffs{b.live, b.afresh(t)} {
		require.Contains(t, call(by, "acme"), "invalid rate card")
		require.Contains(t, call(by, "loja"), "invalid rate card")
	}
}

// A copy that was damaged or lost is made whole from the ledger. Who has read it
// goes on by what the ledger said; who comes meanwhile knows no price.
func TestCopyIsMadeWhole(t *testing.T) {
	t.Parallel()
	b := setupCards(t)
	text := plainCard("all-1", "2026-01-01T00:00:00Z", "", "0.2", "0", "0")
	b.apply(t, "all-1", text)
	b.hears(t)
	key := events.KeyRateCard([]byte(text))
	for name, damage := range map[string]func(){
		"a card is lost":     func() { require.NoError(t, b.records.Delete(t.Context(), key)) },
		"a card is another":  func() { b.overwrite(t, key, strings.Replace(text, "0.2", "0.1", 1)) },
		"the list is lost":   func() { require.NoError(t, b.records.Delete(t.Context(), events.KeyRateCards)) },
		"the list is behind": func() { b.overwrite(t, events.KeyRateCards, `{"zone":"America/Sao_Paulo","cards":["card.none"]}`) },
		"the list is noise":  func() { b.overwrite(t, events.KeyRateCards, `{`) },
	} {
		damage()
		require.NotRegexp(t, `^0\.`, call(b.afresh(t), "acme"), name)
		b.copy(t, true)
		require.Equal(t, "0.2", call(b.afresh(t), "acme"), name)
		require.Eventually(t, func() bool { return call(b.live, "acme") == "0.2" }, time.Minute, 5*time.Millisecond, name)
	}
	b.copy(t, false)
}

func (b *cardBundle) overwrite(t *testing.T, key, value string) {
	t.Helper()
	_, revision, err := b.records.Load(t.Context(), key)
	require.NoError(t, err)
	_, err = b.records.Save(t.Context(), key, []byte(value), revision)
	require.NoError(t, err)
}

// The whole bucket is lost under who watches, and made anew with another card.
func TestBucketOfCardsIsLost(t *testing.T) {
	t.Parallel()
	b := setupCards(t)
	for n, version := range []string{"v1", "v2", "v3", "v4"} {
		b.apply(t, version, plainCard(version, "2026-01-01T00:00:00Z", "", "0."+string(rune('1'+n)), "0", "0"))
		b.hears(t)
	}
	require.Equal(t, "0.4", call(b.live, "acme"))
	b.server.Lose(t, "KV_"+events.BucketRateCards)
	_, err := b.bus.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	applied, err := b.books.ApplyCard(t.Context(), "v5", []byte(plainCard("v5", "2026-01-01T00:00:00Z", "", "0.5", "0", "0")))
	require.NoError(t, err)
	require.True(t, applied)
	b.copy(t, true)
	require.Eventually(t, func() bool { return call(b.live, "acme") == "0.5" }, time.Minute, 5*time.Millisecond)
}

// Whoever copies at one time with another, nothing that was applied is taken back.
func TestCopiersAgree(t *testing.T) {
	t.Parallel()
	b := setupCards(t)
	errs := make(chan error, 4)
	for n := range 4 {
		go func() {
			version := "v" + string(rune('0'+n))
			_, err := b.books.ApplyCard(t.Context(), version, []byte(plainCard(version, "2026-01-01T00:00:00Z", `"tenants":["`+version+`"],`, "0."+string(rune('1'+n)), "0", "0")))
			if err == nil {
				_, err = b.copier.once(t.Context())
			}
			errs <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
	b.copy(t, false)
	by := b.afresh(t)
	for n := range 4 {
		require.Equal(t, "0."+string(rune('1'+n)), call(by, tenant.ID("v"+string(rune('0'+n)))))
	}
}
