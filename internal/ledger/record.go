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
	if batch.Len() == 0 {
		return usage.Outcome{}, nil
	}
	if err := l.dialect.makeRoom(ctx, l.writer, batch.Rows); err != nil {
		return usage.Outcome{}, fmt.Errorf("recording usage: %w", err)
	}
	drafted, err := l.draft(batch)
	if err != nil {
		return usage.Outcome{}, fmt.Errorf("recording usage: %w", err)
	}
	outcome, err := l.record(ctx, drafted)
	if errors.Is(err, ErrRaced) && !drafted.wary {
		// Something of it is known: begun again, and known rows looked up.
		drafted.wary = true
		outcome, err = l.record(ctx, drafted)
	}
	if err != nil {
		return usage.Outcome{}, fmt.Errorf("recording usage: %w", err)
	}
	return outcome, nil
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
	sorted, err := b.sort(ctx, drafted)
	if err != nil {
		return outcome, err
	}
	if err := b.openNumbers(ctx); err != nil {
		return outcome, err
	}
	fresh := sorted.fresh
	if err := b.insertRows(ctx, fresh); err != nil {
		return outcome, err
	}
	if err := b.addRollups(ctx, fresh); err != nil {
		return outcome, err
	}
	corrected, refused, err := b.correct(ctx, fresh, batch.Corrections)
	if err != nil {
		return outcome, err
	}
	outcome.Inserted = len(fresh) + corrected
	b.refused = len(sorted.untimely) + len(refused)
	if outcome.Conflicts, err = b.insertConflicts(ctx, sorted.conflicts); err != nil {
		return outcome, err
	}
	if outcome.Quarantined, err = b.insertRejected(ctx, slices.Concat(batch.Rejected, sorted.untimely, refused)); err != nil {
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

// conflict is a row that contradicts the one that is kept.
type conflict struct {
	hashedRow
	kept usage.Hash
}

// sorted is a batch's rows by what becomes of them; what is in none of these
// has been recorded before.
type sorted struct {
	fresh     []*entry
	conflicts []conflict
	untimely  []usage.Rejected
}

// sort parts rows that are new from those that contradict a row. The first row
// of an id wins, in the ledger and within the batch.
func (b *booking) sort(ctx context.Context, drafted draft) (sorted, error) {
	known, err := b.known(ctx, drafted)
	if err != nil {
		return sorted{}, fmt.Errorf("looking events up: %w", err)
	}
	timely := len(drafted.batch.Rows)
	parted := sorted{fresh: make([]*entry, 0, timely)}
	for i := range drafted.entries {
		row := &drafted.entries[i]
		kept, seen := known[row.ID]
		switch {
		case seen && kept != row.hash:
			parted.conflicts = append(parted.conflicts, conflict{hashedRow: row.hashedRow, kept: kept})
		case !seen && i >= timely:
			parted.untimely = append(parted.untimely, drafted.batch.Untimely[i-timely].Rejected())
		case !seen:
			known[row.ID] = row.hash
			parted.fresh = append(parted.fresh, row)
		}
	}
	return parted, nil
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

// known holds the hashes of those rows whose ids the ledger has; none where the
// booking takes them all for new.
func (b *booking) known(ctx context.Context, drafted draft) (map[usage.ID]usage.Hash, error) {
	known := make(map[usage.ID]usage.Hash, len(drafted.entries))
	if !drafted.wary {
		return known, nil
	}
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

func (d dialect) claimShape() shape {
	return shape{d.inserting + " usage_ids (tenant_id, source, event_id, hash, occurred_at) ", kinds("tttbi"), ""}
}

func (d dialect) rowShape() shape {
	return shape{
		d.inserting + " usage_rows (tenant_id, source, event_id, hash, meter, session_id, request_id, server, tool, model," +
			" outcome, billable, environment, quantities, attempts, duration_ms, metadata, day, occurred_at, received_at, recorded_at, sequence, number) ",
		kinds("tttbtttttttittiittiiiii"), "",
	}
}

// insertRows writes new rows, in the order of their keys, so that what lies
// side by side is written at once. Where one is known the whole batch is given
// up: what it inserted must not be summed a second time.
func (b *booking) insertRows(ctx context.Context, fresh []*entry) error {
	for _, row := range fresh {
		b.number++
		row.number = b.number
	}
	rows := slices.SortedFunc(slices.Values(fresh), func(a, b *entry) int { return compareIDs(a.ID, b.ID) })
	if b.ledger.claims != nil {
		args := make([]any, 0, len(rows)*5)
		for _, row := range rows {
			args = append(args, string(row.Tenant), row.Source, row.Event, row.hash[:], nanos(row.OccurredAt))
		}
		if err := b.insertAll(ctx, b.ledger.claims, args); err != nil {
			return fmt.Errorf("claiming events: %w", err)
		}
	}
	args := make([]any, 0, len(rows)*len(b.ledger.dialect.rowShape().columns))
	recorded := nanos(b.recordedAt)
	for _, row := range rows {
		args = row.append(args, recorded)
	}
	if err := b.insertAll(ctx, b.ledger.inserts, args); err != nil {
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
