package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// SnapshotParams say what a snapshot is of.
type SnapshotParams struct {
	Tenant events.TenantID
	Period usage.Period
	// Environment leaves the usage of one; empty means both.
	Environment events.Environment
	// Each are the meters of which each event is counted, too.
	Each []events.Meter
	// Cut is the number of the last row or correction that is seen; 0 means all
	// that there are.
	Cut int64
}

// Snapshot adds up a period's rows after their corrections, as they were when
// the ledger had given no number above the cut.
func (l *Ledger) Snapshot(ctx context.Context, params SnapshotParams) (usage.Snapshot, error) {
	if params.Cut == 0 {
		params.Cut = allNumbers
	}
	var taken usage.Snapshot
	err := l.read(ctx, params.Tenant, func(tx *transaction) (err error) {
		taken, err = l.snapshot(ctx, tx, params)
		return err
	})
	if err != nil {
		return usage.Snapshot{}, fmt.Errorf("adding up usage: %w", err)
	}
	return taken, nil
}

func (l *Ledger) snapshot(ctx context.Context, tx *transaction, params SnapshotParams) (usage.Snapshot, error) {
	tally, charges := usage.NewTally(), usage.NewChargeTally()
	var hashes [][]byte
	err := l.eachRow(ctx, tx, params, func(row usage.Row, hash usage.Hash) error {
		hashes = append(hashes, hash[:])
		if slices.Contains(params.Each, row.Meter) {
			charges.AddRow(row)
		}
		return tally.AddRow(row)
	})
	if err != nil {
		return usage.Snapshot{}, err
	}
	return usage.Snapshot{Totals: tally.Totals(), Charges: charges.Charges(), Rows: len(hashes), Digest: digest(hashes)}, nil
}

// eachRow hands out the rows of a snapshot with their quantities after
// corrections, and with a hash that no other quantities have.
func (l *Ledger) eachRow(ctx context.Context, tx *transaction, params SnapshotParams, handle func(usage.Row, usage.Hash) error) error {
	corrected, err := l.correctionsOf(ctx, tx, params.Tenant, params.Cut)
	if err != nil {
		return err
	}
	statement := "SELECT " + heldFields + " FROM usage_rows WHERE tenant_id = ? AND occurred_at >= ? AND occurred_at < ? AND number <= ?"
	args := []any{string(params.Tenant), nanos(params.Period.From), nanos(params.Period.To), params.Cut}
	if params.Environment != "" {
		statement += " AND environment = ?"
		args = append(args, string(params.Environment))
	}
	found, err := tx.QueryContext(ctx, l.dialect.bind(statement), args...)
	return scanAll(found, err, func(found scanner) error {
		held, err := scanRow(found, params.Tenant)
		if err != nil {
			return err
		}
		hash := held.hash
		if net := corrected.net(held.Row); len(corrected[held.ID]) > 0 {
			held.Quantities = net
			hash = held.Hash()
		}
		return handle(held.Row, hash)
	})
}

// digest is of a set: the order in which rows came plays no part.
func digest(hashes [][]byte) string {
	slices.SortFunc(hashes, slices.Compare)
	sum := sha256.New()
	for _, hash := range hashes {
		sum.Write(hash)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
