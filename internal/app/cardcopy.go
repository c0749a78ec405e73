package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/rating"
)

const (
	// cardCopyEvery is how often the copy of the rate cards is held against the
	// ledger, for one that was lost, or that an applied card never reached.
	cardCopyEvery = 30 * time.Second
	// cardCopyTries are how often a copy is begun anew that met another's.
	cardCopyTries = 8
)

// cardCopy keeps the copy of the rate cards in the broker as the ledger is, which
// is the truth. Any number may work at once: each reads the ledger after the copy
// that it writes upon, so none takes back what another has copied.
type cardCopy struct {
	books   *ledger.Ledger
	records *natskv.Records
	log     *slog.Logger
}

// newCardCopy is nil where the configuration names a file, which alone bills.
func (k *kit) newCardCopy(ctx context.Context) (*cardCopy, error) {
	if k.cfg.Ledger.RateCard != "" {
		return nil, nil //nolint:nilnil // there is nothing to copy
	}
	books, err := k.books(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	records, err := kv.Records(ctx, events.BucketRateCards)
	if err != nil {
		return nil, err
	}
	return &cardCopy{books: books, records: records, log: k.log}, nil
}

// part is the copy as a part of a role. It serves when it has tried once.
func (c *cardCopy) part(every time.Duration) lifecycle.Part {
	return lifecycle.NewRunner("rate cards", func(fetch, _ context.Context, ready func()) error {
		for {
			changed, err := c.once(fetch)
			switch {
			case fetch.Err() != nil:
			case err != nil:
				c.log.ErrorContext(fetch, "the rate cards are not copied: budgets of money are counted by those that are", "error", err)
			case changed:
				c.log.InfoContext(fetch, "the rate cards are copied from the ledger")
			}
			ready()
			if !lifecycle.Pause(fetch, every) {
				return nil
			}
		}
	})
}

// once copies what differs, and reports whether anything did.
func (c *cardCopy) once(ctx context.Context) (changed bool, err error) {
	for range cardCopyTries {
		wrote, err := c.try(ctx)
		changed = changed || wrote
		if !errors.Is(err, natskv.ErrConflict) {
			return changed, err
		}
	}
	return changed, fmt.Errorf("copying the rate cards: %w", natskv.ErrConflict)
}

func (c *cardCopy) try(ctx context.Context) (changed bool, err error) {
	list, revision, err := c.records.Load(ctx, events.KeyRateCards)
	if err != nil {
		return false, err
	}
	stored, err := c.books.Cards(ctx)
	if err != nil {
		return false, err
	}
	wanted := events.RateCards{Zone: c.books.Zone().String(), Cards: []string{}}
	for _, kept := range stored {
		if card, err := rating.Parse(kept.Text); err == nil && card.Kind == rating.KindCost {
			continue // nobody counts by what usage costs us
		}
		key := events.KeyRateCard(kept.Text)
		wrote, err := c.put(ctx, key, kept.Text)
		changed = changed || wrote
		if err != nil {
			return changed, fmt.Errorf("copying rate card %s: %w", kept.Version, err)
		}
		wanted.Cards = append(wanted.Cards, key)
	}
	entry, err := wanted.Encode()
	if err != nil || bytes.Equal(entry, list) {
		return changed, err
	}
	_, err = c.records.Save(ctx, events.KeyRateCards, entry, revision)
	return true, err
}

// put writes a card that is not there as it is.
func (c *cardCopy) put(ctx context.Context, key string, text []byte) (wrote bool, err error) {
	found, revision, err := c.records.Load(ctx, key)
	if err != nil || revision > 0 && bytes.Equal(found, text) {
		return false, err
	}
	_, err = c.records.Save(ctx, key, text, revision)
	return err == nil, err
}
