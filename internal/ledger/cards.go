package ledger

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// StoredCard is one version of a rate card as it was applied.
type StoredCard struct {
	Version   string
	Text      []byte
	AppliedAt time.Time
}

// ApplyCard keeps a version of a rate card. A version never changes: applying
// it again does nothing, and other text under its name is [ErrCardExists].
func (l *Ledger) ApplyCard(ctx context.Context, version string, text []byte) (applied bool, err error) {
	err = l.write(ctx, func(tx *transaction) error {
		written, err := affected(tx.ExecContext(ctx, l.dialect.bind("INSERT INTO rate_cards (version, card, applied_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"),
			version, text, nanos(l.now())))
		if err != nil || written == 1 {
			applied = err == nil
			return err
		}
		var kept []byte
		if err := tx.QueryRowContext(ctx, l.dialect.bind("SELECT card FROM rate_cards WHERE version = ?"), version).Scan(&kept); err != nil {
			return err
		}
		if !bytes.Equal(kept, text) {
			return fmt.Errorf("%w: %s", ErrCardExists, version)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("applying a rate card: %w", err)
	}
	return applied, nil
}

// Cards lists the rate cards, in the order of their versions.
func (l *Ledger) Cards(ctx context.Context) ([]StoredCard, error) {
	var cards []StoredCard
	err := l.list(ctx, everyTenant, "SELECT version, card, applied_at FROM rate_cards ORDER BY version", nil, func(found scanner) error {
		var card StoredCard
		var appliedAt int64
		err := found.Scan(&card.Version, &card.Text, &appliedAt)
		card.AppliedAt = fromNanos(appliedAt)
		cards = append(cards, card)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing rate cards: %w", err)
	}
	return cards, nil
}
