package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

const (
	// tariffWait is the pause before the copy of the rate cards is watched again.
	tariffWait = time.Second
	// tariffCheck is how often it is looked whether the watch hears.
	tariffCheck = 30 * time.Second
)

// errDeaf ends a watch that hears nothing.
var errDeaf = errors.New("the watch hears nothing")

// tariffs are what use costs each tenant, by the copy of the cards in the broker.
// They implement [scheduling.Tariffs].
type tariffs struct {
	records *natskv.Records // nil: the set never changes
	copies  *copiedCards
	log     *slog.Logger
	check   time.Duration // as tariffCheck

	mu   sync.Mutex // guards what follows
	set  *cardSet
	list []byte // nil until it was heard
}

// Of implements [scheduling.Tariffs].
func (t *tariffs) Of(id tenant.ID) budget.Prices { return &tenantPrices{id: id, cards: t.current} }

func (t *tariffs) current() *cardSet {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.set
}

// Watch implements [scheduling.Tariffs].
func (t *tariffs) Watch(ctx context.Context, changed func()) error {
	if t.records == nil {
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		err := t.follow(ctx, changed)
		if ctx.Err() == nil && !errors.Is(err, errDeaf) {
			t.log.WarnContext(ctx, "watching the rate cards", "error", err)
			lifecycle.Pause(ctx, tariffWait)
		}
	}
	return nil
}

// follow watches until the watch breaks, or is found to hear nothing.
func (t *tariffs) follow(ctx context.Context, changed func()) error {
	following, end := context.WithCancelCause(ctx)
	var check sync.WaitGroup
	defer check.Wait()
	defer end(nil)
	check.Go(func() {
		for lifecycle.Pause(following, t.check) {
			if t.deaf(following) {
				end(errDeaf)
			}
		}
	})
	caughtUp := false
	return t.records.Follow(following, func(key string, value []byte, _ uint64) {
		if t.take(key, value) && caughtUp && t.renew(ctx) {
			changed()
		}
	}, func() {
		caughtUp = true
		if t.renew(ctx) {
			changed()
		}
	})
}

// deaf reports whether the list is another than the last that was heard: a watch
// of a bucket that was lost waits for places that the new one may never come to.
// One that is only late is opened again in vain.
func (t *tariffs) deaf(ctx context.Context) bool {
	list, revision, err := t.records.Load(ctx, events.KeyRateCards)
	t.mu.Lock()
	defer t.mu.Unlock()
	return err == nil && revision > 0 && !bytes.Equal(list, t.list)
}

// take keeps an entry, and reports whether it may change what bills. What was
// removed stays as it was: the ledger is the truth, and its copy will be back.
func (t *tariffs) take(key string, value []byte) bool {
	if value == nil {
		return false
	}
	if key != events.KeyRateCards {
		fresh, err := t.copies.take(key, value)
		return fresh && err == nil // a damaged one is as good as missing
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = value
	return true
}

// renew makes the set anew, and reports whether it is another.
func (t *tariffs) renew(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil || t.set.err == nil && t.set.listed == string(t.list) {
		return false
	}
	t.set = readSet(t.list, t.copies.find)
	if t.set.err != nil {
		t.log.ErrorContext(ctx, "the rate cards cannot be used, and nothing is granted under a hard budget of money", "error", t.set.err)
	}
	for card, fault := range t.set.faults {
		t.log.ErrorContext(ctx, "a rate card cannot be read, and nothing is granted under a hard budget of money that is counted by it",
			"version", card.Version, "tenants", len(card.Tenants), "error", fault)
	}
	return true
}

// snapshot reads the copy once.
func (t *tariffs) snapshot(ctx context.Context) (*cardSet, error) {
	list, revision, err := t.records.Load(ctx, events.KeyRateCards)
	if err != nil {
		return nil, fmt.Errorf("reading the rate cards: %w", err)
	}
	if revision == 0 {
		return noCards(errCardsUnknown), nil
	}
	var broken error
	set := readSet(list, func(key string) (copiedCard, error) {
		if kept, err := t.copies.find(key); err == nil {
			return kept, nil
		}
		text, revision, err := t.records.Load(ctx, key)
		switch {
		case err != nil:
			broken = err
		case revision == 0:
			err = errCardMissing
		default:
			_, err = t.copies.take(key, text)
		}
		if err != nil {
			return copiedCard{}, err
		}
		return t.copies.find(key)
	})
	if broken != nil {
		return nil, fmt.Errorf("reading the rate cards: %w", broken)
	}
	return set, nil
}
