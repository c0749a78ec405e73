package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// Record books a batch in one transaction: rows, sums, conflicts and
// quarantine, all or nothing. After nil it is on disk. Recording what was
// recorded before changes nothing and is counted as duplicates.
func (l *Ledger) Record(ctx context.Context, batch usage.Batch) (usage.Outcome, error) {
	book, err := l.Stage(batch)
	if err != nil {
		return usage.Outcome{}, err
	}
	return book(ctx)
}

// Stage does what can be done of [Ledger.Record] without the database, and
// returns the rest, which may be called again after an error. One batch can be
// staged while the one before it is booked.
func (l *Ledger) Stage(batch usage.Batch) (book func(ctx context.Context) (usage.Outcome, error), err error) {
	drafted, err := l.draft(batch)
	if err != nil {
		return nil, fmt.Errorf("recording usage: %w", err)
	}
	return func(ctx context.Context) (usage.Outcome, error) {
		outcome, err := l.bookDraft(ctx, drafted)
		if err != nil {
			return usage.Outcome{}, fmt.Errorf("recording usage: %w", err)
		}
		return outcome, nil
	}, nil
}

func (l *Ledger) bookDraft(ctx context.Context, drafted draft) (usage.Outcome, error) {
	if drafted.batch.Len() == 0 {
		return usage.Outcome{}, nil
	}
	if err := l.dialect.makeRoom(ctx, l.writer, drafted.batch.Rows); err != nil {
		return usage.Outcome{}, err
	}
	outcome, err := l.record(ctx, drafted)
	if errors.Is(err, ErrRaced) && !drafted.wary {
		// Something of it is known: begun again, and known rows looked up.
		drafted.wary = true
		outcome, err = l.record(ctx, drafted)
	}
	return outcome, err
}

func (l *Ledger) record(ctx context.Context, drafted draft) (outcome usage.Outcome, err error) {
	err = l.write(ctx, func(tx *transaction) (err error) {
		booking := &booking{ledger: l, tx: tx, recordedAt: l.now().UTC()}
		outcome, err = booking.book(ctx, drafted)
		return err
	})
	return outcome, err
}

// booking is one transaction of [Ledger.Record].
type booking struct {
	ledger     *Ledger
	tx         *transaction
	recordedAt time.Time
	// number is the last that a row or correction was given.
	number int64
	// refused is how many messages this booking itself put aside.
	refused int
}

func (b *booking) book(ctx context.Context, drafted draft) (usage.Outcome, error) {
	var outcome usage.Outcome
	batch := drafted.batch
	planned, err := b.plan(ctx, drafted)
	if err != nil {
		return outcome, err
	}
	if err := b.openNumbers(ctx); err != nil {
		return outcome, err
	}
	if err := b.insertRows(ctx, planned); err != nil {
		return outcome, err
	}
	if err := b.addRollups(ctx, planned.rollups); err != nil {
		return outcome, err
	}
	corrected, refused, err := b.correct(ctx, planned.fresh, batch.Corrections)
	if err != nil {
		return outcome, err
	}
	outcome.Inserted = len(planned.fresh) + corrected
	b.refused = len(planned.untimely) + len(refused)
	if outcome.Conflicts, err = b.insertConflicts(ctx, planned.conflicts); err != nil {
		return outcome, err
	}
	if outcome.Quarantined, err = b.insertRejected(ctx, slices.Concat(batch.Rejected, planned.untimely, refused)); err != nil {
		return outcome, err
	}
	outcome.Duplicates = batch.Len() - outcome.Total()
	return outcome, b.closeNumbers(ctx)
}

// openNumbers reads the last number that was given. Writers take turns, so
// nobody else gives the next.
func (b *booking) openNumbers(ctx context.Context) error {
	if err := b.tx.QueryRowContext(ctx, "SELECT value FROM ledger_counters WHERE name = 'number'").Scan(&b.number); err != nil {
		return fmt.Errorf("numbering rows: %w", err)
	}
	return nil
}

func (b *booking) closeNumbers(ctx context.Context) error {
	if _, err := b.tx.ExecContext(ctx, b.ledger.dialect.bind("UPDATE ledger_counters SET value = ? WHERE name = 'number'"), b.number); err != nil {
		return fmt.Errorf("numbering rows: %w", err)
	}
	return nil
}

// plan is the draft's own where that takes all for new, and otherwise one of what
// the ledger has.
func (b *booking) plan(ctx context.Context, drafted draft) (plan, error) {
	if !drafted.wary {
		return drafted.plan, nil
	}
	known, err := b.known(ctx, drafted)
	if err != nil {
		return plan{}, fmt.Errorf("looking events up: %w", err)
	}
	return b.ledger.plan(drafted, known)
}

// knownShape asks the table that decides which events are new.
func (l *Ledger) knownShape() shape {
	table := "usage_rows"
	if l.dialect.claimed {
		table = "usage_ids"
	}
	return shape{
		"WITH asked (tenant_id, source, event_id) AS (", kinds("ttt"),
		") SELECT held.tenant_id, held.source, held.event_id, held.hash FROM asked JOIN " + table + " AS held" +
			" ON held.tenant_id = asked.tenant_id AND held.source = asked.source AND held.event_id = asked.event_id",
	}
}

// known holds the hashes of those rows whose ids the ledger has.
func (b *booking) known(ctx context.Context, drafted draft) (map[usage.ID]usage.Hash, error) {
	known := make(map[usage.ID]usage.Hash, len(drafted.entries))
	args := make([]any, 0, len(drafted.entries)*3)
	for i := range drafted.entries {
		id := &drafted.entries[i].ID
		args = append(args, string(id.Tenant), id.Source, id.Event)
	}
	err := b.ledger.lookups.query(ctx, b.tx, args, func(found scanner) error {
		var id usage.ID
		var hash []byte
		if err := found.Scan(&id.Tenant, &id.Source, &id.Event, &hash); err != nil {
			return err
		}
		known[id] = hashOf(hash)
		return nil
	})
	return known, err
}

// insertRows writes new rows. Where one is known the whole batch is given up: what
// it inserted must not be summed a second time.
func (b *booking) insertRows(ctx context.Context, planned plan) error {
	for _, row := range planned.fresh {
		b.number++
		row.number = b.number
	}
	planned.complete(b.recordedAt)
	if b.ledger.claims != nil {
		if err := b.insertAll(ctx, b.ledger.claims, planned.claims); err != nil {
			return fmt.Errorf("claiming events: %w", err)
		}
	}
	if err := b.insertAll(ctx, b.ledger.inserts, planned.values); err != nil {
		return fmt.Errorf("inserting rows: %w", err)
	}
	return nil
}

func (b *booking) insertAll(ctx context.Context, statement bulk, args []any) error {
	_, err := statement.exec(ctx, b.tx, args)
	if err != nil && b.ledger.dialect.taken(err) {
		return fmt.Errorf("%w: %w", ErrRaced, err)
	}
	return err
}

// affected is how many rows a statement wrote.
func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	rows, err := result.RowsAffected()
	return int(rows), err
}

// inChunks hands out items in runs of at most size.
func inChunks[T any](items []T, size int, handle func(chunk []T) error) error {
	for len(items) > 0 {
		chunk := items[:min(size, len(items))]
		if err := handle(chunk); err != nil {
			return err
		}
		items = items[len(chunk):]
	}
	return nil
}

func flag(set bool) int64 {
	if set {
		return 1
	}
	return 0
}

// hashOf is a hash as the ledger kept it; whatever has another length is none.
func hashOf(kept []byte) usage.Hash {
	var hash usage.Hash
	if len(kept) == len(hash) {
		copy(hash[:], kept)
	}
	return hash
}

// nanos is a time as the ledger keeps it; the zero time is 0, and what 64 bits
// cannot hold is their end. No row's time is there, but a period's may be.
func nanos(moment time.Time) int64 {
	switch year := moment.Year(); {
	case moment.IsZero():
		return 0
	case year < 1700:
		return math.MinInt64
	case year > 2250:
		return math.MaxInt64
	default:
		return moment.UnixNano()
	}
}

func fromNanos(kept int64) time.Time {
	if kept == 0 {
		return time.Time{}
	}
	return time.Unix(0, kept).UTC()
}
