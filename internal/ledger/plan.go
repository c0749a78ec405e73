package ledger

import (
	"slices"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// conflict is a row that contradicts the one that is kept.
type conflict struct {
	hashedRow
	kept usage.Hash
}

// plan is a batch's rows by what becomes of them, laid out for the statements;
// what is in none of these has been recorded before.
type plan struct {
	fresh     []*entry
	conflicts []conflict
	untimely  []usage.Rejected
	rollups   []rollup
	// rows are the new ones in the order of their keys, so that what lies side by
	// side is written at once; values and claims are theirs.
	rows   []*entry
	values []any
	claims []any
}

// plan parts rows that are new from those that are known, or contradict a row.
// The first row of an id wins, in the ledger and within the batch. It takes known
// over.
func (l *Ledger) plan(drafted draft, known map[usage.ID]usage.Hash) (plan, error) {
	timely := len(drafted.batch.Rows)
	planned := plan{fresh: make([]*entry, 0, timely)}
	for i := range drafted.entries {
		row := &drafted.entries[i]
		kept, seen := known[row.ID]
		switch {
		case seen && kept != row.hash:
			planned.conflicts = append(planned.conflicts, conflict{hashedRow: row.hashedRow, kept: kept})
		case !seen && i >= timely:
			planned.untimely = append(planned.untimely, drafted.batch.Untimely[i-timely].Rejected())
		case !seen:
			known[row.ID] = row.hash
			planned.fresh = append(planned.fresh, row)
		}
	}
	var err error
	if planned.rollups, err = rollups(planned.fresh); err != nil {
		return plan{}, err
	}
	planned.rows = slices.SortedFunc(slices.Values(planned.fresh), func(a, b *entry) int { return compareIDs(a.ID, b.ID) })
	planned.values = make([]any, 0, len(planned.rows)*len(l.dialect.rowShape().columns))
	for _, row := range planned.rows {
		planned.values = row.append(planned.values)
	}
	if !l.dialect.claimed {
		return planned, nil
	}
	planned.claims = make([]any, 0, len(planned.rows)*len(l.dialect.claimShape().columns))
	for _, row := range planned.rows {
		planned.claims = append(planned.claims, string(row.Tenant), row.Source, row.Event, row.hash[:], nanos(row.OccurredAt))
	}
	return planned, nil
}

// complete fills in what only the transaction knows.
func (p plan) complete(recordedAt time.Time) {
	if len(p.rows) == 0 {
		return
	}
	columns, recorded := len(p.values)/len(p.rows), any(nanos(recordedAt))
	for i, row := range p.rows {
		p.values[i*columns+columnRecorded], p.values[i*columns+columnNumber] = recorded, row.number
	}
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

// Places of the columns of a row that only the transaction knows.
const (
	columnRecorded = 20
	columnNumber   = 22
)
