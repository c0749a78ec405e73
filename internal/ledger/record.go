package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
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
	var outcome usage.Outcome
	err := l.write(ctx, func(tx *sql.Tx) (err error) {
		booking := &booking{ledger: l, tx: tx, recordedAt: l.now().UTC()}
		outcome, err = booking.book(ctx, batch)
		return err
	})
	if err != nil {
		return usage.Outcome{}, fmt.Errorf("recording usage: %w", err)
	}
	return outcome, nil
}

// booking is one transaction of [Ledger.Record].
type booking struct {
	ledger     *Ledger
	tx         *sql.Tx
	recordedAt time.Time
	// number is the last that a row or correction was given.
	number int64
	// refused is how many messages this booking itself put aside.
	refused int
}

func (b *booking) book(ctx context.Context, batch usage.Batch) (usage.Outcome, error) {
	var outcome usage.Outcome
	sorted, err := b.sort(ctx, batch)
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

// hashedRow is a row with its hash, which is made once.
type hashedRow struct {
	usage.Row
	hash usage.Hash
}

// conflict is a row that contradicts the one that is kept.
type conflict struct {
	hashedRow
	kept usage.Hash
}

// sorted is a batch's rows by what becomes of them; what is in none of these
// has been recorded before.
type sorted struct {
	fresh     []hashedRow
	conflicts []conflict
	untimely  []usage.Rejected
}

// sort parts rows that are new from those that contradict a row. The first row
// of an id wins, in the ledger and within the batch.
func (b *booking) sort(ctx context.Context, batch usage.Batch) (sorted, error) {
	rows := batch.Rows
	for _, late := range batch.Untimely {
		rows = append(slices.Clip(rows), late.Row)
	}
	known, err := b.known(ctx, rows)
	if err != nil {
		return sorted{}, fmt.Errorf("looking events up: %w", err)
	}
	parted := sorted{fresh: make([]hashedRow, 0, len(batch.Rows))}
	for i, row := range rows {
		hashed := hashedRow{Row: row, hash: row.Hash()}
		kept, seen := known[row.ID]
		switch {
		case seen && kept != hashed.hash:
			parted.conflicts = append(parted.conflicts, conflict{hashedRow: hashed, kept: kept})
		case !seen && i >= len(batch.Rows):
			parted.untimely = append(parted.untimely, batch.Untimely[i-len(batch.Rows)].Rejected())
		case !seen:
			known[row.ID] = hashed.hash
			parted.fresh = append(parted.fresh, hashed)
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

// known holds the hashes of those rows whose ids the ledger has.
func (b *booking) known(ctx context.Context, rows []usage.Row) (map[usage.ID]usage.Hash, error) {
	known := make(map[usage.ID]usage.Hash, len(rows))
	args := make([]any, 0, len(rows)*3)
	for _, row := range rows {
		args = append(args, string(row.Tenant), row.Source, row.Event)
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

const ifNew = " ON CONFLICT DO NOTHING"

func claimShape() shape {
	return shape{"INSERT INTO usage_ids (tenant_id, source, event_id, hash, occurred_at) ", kinds("tttbi"), ifNew}
}

func rowShape() shape {
	return shape{
		"INSERT INTO usage_rows (tenant_id, source, event_id, hash, meter, session_id, request_id, server, tool, model," +
			" outcome, billable, environment, quantities, attempts, duration_ms, metadata, day, occurred_at, received_at, recorded_at, sequence, number) ",
		kinds("tttbtttttttittiittiiiii"), ifNew,
	}
}

// insertRows writes new rows. Where another writer was faster the whole batch
// is given up: what it inserted must not be summed a second time.
func (b *booking) insertRows(ctx context.Context, rows []hashedRow) error {
	if b.ledger.claims != nil {
		args := make([]any, 0, len(rows)*5)
		for _, row := range rows {
			args = append(args, string(row.Tenant), row.Source, row.Event, row.hash[:], nanos(row.OccurredAt))
		}
		if err := b.insertAll(ctx, b.ledger.claims, args, len(rows)); err != nil {
			return fmt.Errorf("claiming events: %w", err)
		}
	}
	shape := rowShape()
	args := make([]any, 0, len(rows)*len(shape.columns))
	for _, row := range rows {
		var err error
		if args, err = b.appendRow(args, row); err != nil {
			return fmt.Errorf("inserting rows: %w", err)
		}
	}
	if err := b.insertAll(ctx, b.ledger.inserts, args, len(rows)); err != nil {
		return fmt.Errorf("inserting rows: %w", err)
	}
	return nil
}

func (b *booking) insertAll(ctx context.Context, statement bulk, args []any, want int) error {
	inserted, err := statement.exec(ctx, b.tx, args)
	if err == nil && inserted != want {
		err = ErrRaced
	}
	return err
}

func (b *booking) appendRow(args []any, row hashedRow) ([]any, error) {
	quantities, err := json.Marshal(row.Quantities)
	if err != nil {
		return nil, err
	}
	metadata := []byte("{}")
	if len(row.Metadata) > 0 {
		if metadata, err = json.Marshal(row.Metadata); err != nil {
			return nil, err
		}
	}
	b.number++
	return append(args,
		string(row.Tenant), row.Source, row.Event, row.hash[:], string(row.Meter), string(row.Session), string(row.Request),
		row.Server, row.Tool, row.Model, row.Outcome, flag(row.Billable), string(row.Environment), string(quantities),
		int64(row.Attempts), row.Duration.Milliseconds(), string(metadata), b.ledger.day(row.Row),
		nanos(row.OccurredAt), nanos(row.ReceivedAt), nanos(b.recordedAt), int64(row.Sequence), b.number), nil //nolint:gosec // a stream does not reach 2^63 messages
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
