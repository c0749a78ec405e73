package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// partitions are the months for which this process knows that usage_rows has a
// partition. Months are of UTC: they only cut the table and bill nothing.
type partitions struct {
	mu    sync.Mutex
	known map[time.Time]bool
}

// monthsAhead is how many months after the current one have their partition
// before anything occurs in them.
const monthsAhead = 3

// make makes the partitions that rows need, and those of the months ahead of
// the latest row. What is old or far ahead is in quarantine by then, so
// a producer cannot have thousands made.
func (p *partitions) make(ctx context.Context, writer *sql.DB, rows []usage.Row) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[time.Time]bool{}
	}
	for _, row := range rows {
		month := firstOfMonth(row.OccurredAt)
		if p.known[month] {
			continue
		}
		for ahead := range monthsAhead + 1 {
			next := month.AddDate(0, ahead, 0)
			if p.known[next] {
				continue
			}
			if err := makePartition(ctx, writer, next); err != nil {
				return fmt.Errorf("making the partition of %s: %w", next.Format("2006-01"), err)
			}
			p.known[next] = true
		}
	}
	return nil
}

func firstOfMonth(moment time.Time) time.Time {
	year, month, _ := moment.UTC().Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// makePartition makes one month's partition with walls of its own: whoever
// names it, and not its parent, is bound as well.
func makePartition(ctx context.Context, writer *sql.DB, month time.Time) error {
	name := "usage_rows_" + month.Format("2006_01")
	var exists bool
	if err := writer.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", name).Scan(&exists); err != nil || exists {
		return err
	}
	tx, err := writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // harmless after the commit
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(postgresTurn)); err != nil {
		return err
	}
	from, to := strconv.FormatInt(month.UnixNano(), 10), strconv.FormatInt(month.AddDate(0, 1, 0).UnixNano(), 10)
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS " + name + " PARTITION OF usage_rows FOR VALUES FROM (" + from + ") TO (" + to + ")",
		"SELECT feira_wall('" + name + "')",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}
