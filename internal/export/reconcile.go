package export

import (
	"context"
	"errors"
	"fmt"
)

// Difference is a sum of which the two sides say something else.
type Difference struct {
	Ours   Sum    `json:"ours"`
	Theirs Sum    `json:"theirs"`
	Why    string `json:"why"`
}

// Reconciliation is what came of asking the other side what it has.
type Reconciliation struct {
	Export string `json:"export"`
	Sink   Kind   `json:"sink"`
	// Asked is false where the other side cannot be asked; Differences then are
	// only of our own books.
	Asked       bool         `json:"asked"`
	Sums        int          `json:"sums"`
	Items       int64        `json:"items"`
	Differences []Difference `json:"differences"`
	// Findings are what no sum shows: sums that were refused, or of which nobody
	// knows whether they arrived.
	Findings []string `json:"findings"`
	// Waiting is how much the other side has not been told of yet.
	Waiting int64 `json:"waiting"`
}

// OK reports whether nothing differs.
func (r Reconciliation) OK() bool { return len(r.Differences) == 0 && len(r.Findings) == 0 }

// Reconcile asks the other side what it has and names every difference from
// what the ledger says it was told.
func (e *Exporter) Reconcile(ctx context.Context) (Reconciliation, error) {
	settings := e.config.Settings
	found := Reconciliation{Export: settings.Name, Sink: settings.Kind, Differences: []Difference{}, Findings: []string{}}
	at, err := e.config.Books.OpenExport(ctx, settings.Name, settings.pinned())
	if err != nil {
		return found, err
	}
	last, err := e.config.Books.LastNumber(ctx)
	if err != nil {
		return found, err
	}
	found.Waiting = last - at.Cursor
	if e.stripe != nil {
		return found, e.stripe.reconcile(ctx, &found)
	}
	filter := settings.filter()
	filter.Through = at.Cursor
	ours, count, err := sumsOf(ctx, e.config.Books, filter)
	if err != nil {
		return found, err
	}
	found.Sums, found.Items = len(ours), count
	if count != at.Items {
		found.Findings = append(found.Findings, fmt.Sprintf("%d items were told, the ledger has %d of these numbers", at.Items, count))
	}
	theirs, err := e.sink.look(ctx, ours)
	if errors.Is(err, errNoWord) {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("asking %s: %w", settings.Name, err)
	}
	found.Asked = true
	found.Differences = append(found.Differences, compare(ours, theirs)...)
	return found, nil
}
