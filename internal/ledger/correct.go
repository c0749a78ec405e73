package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// corrections are a tenant's, by the row that they correct.
type corrections map[usage.ID][]usage.Correction

// net is what a row counts after them.
func (c corrections) net(row usage.Row) []usage.Quantity {
	if found := c[row.ID]; len(found) > 0 {
		return usage.Net(row, found)
	}
	return row.Quantities
}

const correctionFields = "tenant_id, source, event_id, kind, corrects_source, corrects_event, quantities, reason, occurred_at"

// correctionsOf are a tenant's corrections numbered up to cut.
func (l *Ledger) correctionsOf(ctx context.Context, tx *transaction, tenant events.TenantID, cut int64) (corrections, error) {
	found := corrections{}
	statement := l.dialect.bind("SELECT " + correctionFields + " FROM usage_corrections WHERE tenant_id = ? AND number <= ?")
	kept, err := tx.QueryContext(ctx, statement, string(tenant), cut)
	err = scanAll(kept, err, func(row scanner) error {
		correction, err := scanCorrection(row)
		found[correction.Corrects] = append(found[correction.Corrects], correction)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading corrections: %w", err)
	}
	return found, nil
}

func scanCorrection(found scanner) (usage.Correction, error) {
	var correction usage.Correction
	var quantities []byte
	var occurredAt int64
	err := found.Scan(&correction.Tenant, &correction.Source, &correction.Event, &correction.Kind,
		&correction.Corrects.Source, &correction.Corrects.Event, &quantities, &correction.Reason, &occurredAt)
	if err != nil {
		return usage.Correction{}, err
	}
	correction.Corrects.Tenant = correction.Tenant
	correction.OccurredAt = fromNanos(occurredAt)
	return correction, json.Unmarshal(quantities, &correction.Quantities)
}

// correct books corrections and changes the sums of the rows that they are of;
// fresh rows may have been corrected before they came.
func (b *booking) correct(ctx context.Context, fresh []*entry, batch []usage.Correction) (inserted int, refused []usage.Rejected, err error) {
	changed, err := b.correctedBefore(ctx, fresh)
	if err != nil {
		return 0, nil, err
	}
	for _, correction := range batch {
		reason, known, err := b.judge(ctx, correction)
		switch {
		case err != nil:
			return 0, nil, err
		case known:
			continue
		case reason != "":
			refused = append(refused, refusedCorrection(correction, reason))
			continue
		}
		if err := b.insertCorrection(ctx, correction); err != nil {
			return 0, nil, err
		}
		inserted++
		if _, listed := changed[correction.Corrects]; !listed {
			if changed[correction.Corrects], err = b.countedAs(ctx, correction); err != nil {
				return 0, nil, err
			}
		}
	}
	for id, before := range changed {
		if err := b.recount(ctx, id, before); err != nil {
			return 0, nil, err
		}
	}
	return inserted, refused, nil
}

// judge says whether a correction is known, and why it cannot be booked.
func (b *booking) judge(ctx context.Context, correction usage.Correction) (reason usage.Reason, known bool, err error) {
	held, found, err := b.correctionHash(ctx, correction.ID)
	switch {
	case err != nil:
		return "", false, err
	case found && held == correction.Hash():
		return "", true, nil
	case found:
		return usage.ReasonConflict, false, nil
	}
	if _, found, err = b.correctionHash(ctx, correction.Corrects); found {
		return usage.ReasonCorrectsCorrection, false, err
	}
	return "", false, err
}

func (b *booking) correctionHash(ctx context.Context, id usage.ID) (hash usage.Hash, found bool, err error) {
	statement := b.ledger.dialect.bind("SELECT hash FROM usage_corrections WHERE tenant_id = ? AND source = ? AND event_id = ?")
	var kept []byte
	err = b.tx.QueryRowContext(ctx, statement, string(id.Tenant), id.Source, id.Event).Scan(&kept)
	if errors.Is(err, sql.ErrNoRows) {
		return hash, false, nil
	}
	if err != nil {
		return hash, false, fmt.Errorf("looking a correction up: %w", err)
	}
	return hashOf(kept), true, nil
}

func (b *booking) insertCorrection(ctx context.Context, correction usage.Correction) error {
	quantities, err := json.Marshal(correction.Quantities)
	if err != nil {
		return fmt.Errorf("inserting a correction: %w", err)
	}
	hash := correction.Hash()
	b.number++
	statement := b.ledger.dialect.insert("INSERT INTO usage_corrections ("+correctionFields+", hash, recorded_at, number) ", 12, 1, "")
	_, err = b.tx.ExecContext(ctx, statement, string(correction.Tenant), correction.Source, correction.Event, string(correction.Kind),
		correction.Corrects.Source, correction.Corrects.Event, string(quantities), correction.Reason, nanos(correction.OccurredAt),
		hash[:], nanos(b.recordedAt), b.number)
	if err != nil {
		return fmt.Errorf("inserting a correction: %w", err)
	}
	return nil
}

// correctedBefore are those fresh rows that a correction was waiting for, with
// what they have been summed as: their own quantities.
func (b *booking) correctedBefore(ctx context.Context, fresh []*entry) (map[usage.ID][]usage.Quantity, error) {
	changed := map[usage.ID][]usage.Quantity{}
	var any int
	if err := b.tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM usage_corrections LIMIT 1) AS one").Scan(&any); err != nil {
		return nil, fmt.Errorf("looking corrections up: %w", err)
	}
	if any == 0 {
		return changed, nil
	}
	for _, row := range fresh {
		found, err := b.correctionsOf(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			changed[row.ID] = row.Quantities
		}
	}
	return changed, nil
}

func (b *booking) correctionsOf(ctx context.Context, id usage.ID) ([]usage.Correction, error) {
	statement := b.ledger.dialect.bind("SELECT " + correctionFields + " FROM usage_corrections WHERE tenant_id = ? AND corrects_source = ? AND corrects_event = ?")
	var corrections []usage.Correction
	found, err := b.tx.QueryContext(ctx, statement, string(id.Tenant), id.Source, id.Event)
	err = scanAll(found, err, func(row scanner) error {
		correction, err := scanCorrection(row)
		corrections = append(corrections, correction)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking corrections up: %w", err)
	}
	return corrections, nil
}

// countedAs is what a row was summed as before a correction that has just been
// inserted; nothing when there is no row.
func (b *booking) countedAs(ctx context.Context, latest usage.Correction) ([]usage.Quantity, error) {
	row, err := b.row(ctx, latest.Corrects)
	if err != nil || row == nil {
		return nil, err
	}
	all, err := b.correctionsOf(ctx, latest.Corrects)
	if err != nil {
		return nil, err
	}
	earlier := slices.DeleteFunc(all, func(correction usage.Correction) bool { return correction.ID == latest.ID })
	return usage.Net(*row, earlier), nil
}

// row is a row of the ledger, nil when there is none.
func (b *booking) row(ctx context.Context, id usage.ID) (*usage.Row, error) {
	statement := "SELECT " + heldFields + " FROM usage_rows WHERE tenant_id = ? AND source = ? AND event_id = ?"
	args := []any{string(id.Tenant), id.Source, id.Event}
	if b.ledger.dialect.claimed { // where rows have no key, their time finds them
		statement += " AND occurred_at = (SELECT occurred_at FROM usage_ids WHERE tenant_id = ? AND source = ? AND event_id = ?)"
		args = append(args, args...)
	}
	var row *usage.Row
	found, err := b.tx.QueryContext(ctx, b.ledger.dialect.bind(statement), args...)
	err = scanAll(found, err, func(found scanner) error {
		held, err := scanRow(found, id.Tenant)
		row = &held.Row
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking a row up: %w", err)
	}
	return row, nil
}

// recount changes the sums of a row from what it counted before to what it
// counts now.
func (b *booking) recount(ctx context.Context, id usage.ID, before []usage.Quantity) error {
	row, err := b.row(ctx, id)
	if err != nil || row == nil {
		return err // a correction that waits for its row
	}
	all, err := b.correctionsOf(ctx, id)
	if err != nil {
		return err
	}
	if err := b.addQuantities(ctx, *row, usage.Net(*row, all)); err != nil {
		return err
	}
	return b.subtractQuantities(ctx, *row, before)
}

func (b *booking) addQuantities(ctx context.Context, row usage.Row, quantities []usage.Quantity) error {
	row.Quantities = quantities
	sums, err := rollups([]*entry{{hashedRow: hashedRow{Row: row}, day: b.ledger.day(row)}})
	if err != nil {
		return err
	}
	return b.addRollups(ctx, sums)
}

func (b *booking) subtractQuantities(ctx context.Context, row usage.Row, quantities []usage.Quantity) error {
	statement := b.ledger.dialect.bind("UPDATE usage_rollups SET whole = whole - ? - CASE WHEN nano < ? THEN 1 ELSE 0 END," +
		" nano = CASE WHEN nano < ? THEN nano + 1000000000 - ? ELSE nano - ? END" +
		" WHERE tenant_id = ? AND day = ? AND meter = ? AND unit = ? AND server = ? AND tool = ? AND model = ? AND billable = ? AND environment = ?")
	for _, quantity := range quantities {
		nano := quantity.Amount.Nano()
		_, err := b.tx.ExecContext(ctx, statement, quantity.Amount.Whole(), nano, nano, nano, nano,
			string(row.Tenant), b.ledger.day(row), string(row.Meter), quantity.Unit, row.Server, row.Tool, row.Model, flag(row.Billable), string(row.Environment))
		if err != nil {
			return fmt.Errorf("correcting sums: %w", err)
		}
	}
	return nil
}

// refusedCorrection is a correction as quarantine keeps it.
func refusedCorrection(correction usage.Correction, reason usage.Reason) usage.Rejected {
	return usage.Rejected{
		Tenant: correction.Tenant, Message: correction.Message, Reason: reason,
		Detail: fmt.Sprintf("correction %s of %s", correction.Event, correction.Corrects.Event),
	}
}
