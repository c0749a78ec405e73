package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/feira-dev/feira/internal/usage"
)

// ifNew ends the insertion of what may be there and is the same then.
const ifNew = " ON CONFLICT DO NOTHING"

// hashedRow is a row with its hash, which is made once.
type hashedRow struct {
	usage.Row
	hash usage.Hash
}

// entry is a row as the ledger writes it.
type entry struct {
	hashedRow
	day, quantities, metadata string
	// number is given in the transaction.
	number int64
}

// draft is a batch with all that can be made of it before the transaction:
// other writers wait for a transaction, and for nothing else.
type draft struct {
	batch usage.Batch
	// entries are of its rows and, after them, of its untimely rows.
	entries []entry
	// wary has the transaction look up which rows are known. Nearly all batches
	// are new as a whole, and the key finds the others out, so the first try
	// takes all for new; but of an untimely row nothing is inserted.
	wary bool
	// plan takes all rows for new; it is not made for who is wary.
	plan plan
}

func (l *Ledger) draft(batch usage.Batch) (draft, error) {
	drafted := draft{
		batch: batch, wary: len(batch.Untimely) > 0,
		entries: make([]entry, 0, len(batch.Rows)+len(batch.Untimely)),
	}
	for _, row := range batch.Rows {
		if err := drafted.add(l, row); err != nil {
			return draft{}, err
		}
	}
	for _, late := range batch.Untimely {
		if err := drafted.add(l, late.Row); err != nil {
			return draft{}, err
		}
	}
	if drafted.wary {
		return drafted, nil
	}
	var err error
	if drafted.plan, err = l.plan(drafted, make(map[usage.ID]usage.Hash, len(drafted.entries))); err != nil {
		return draft{}, err
	}
	return drafted, nil
}

func (d *draft) add(ledger *Ledger, row usage.Row) error {
	quantities, err := quantitiesText(row.Quantities)
	if err != nil {
		return fmt.Errorf("laying rows out: %w", err)
	}
	metadata, err := metadataText(row.Metadata)
	if err != nil {
		return fmt.Errorf("laying rows out: %w", err)
	}
	d.entries = append(d.entries, entry{
		hashedRow: hashedRow{Row: row, hash: row.Hash()},
		day:       ledger.day(row), quantities: quantities, metadata: metadata,
	})
	return nil
}

// append adds the values of the columns of [dialect.rowShape], with room for those
// that [plan.complete] fills in.
func (e *entry) append(args []any) []any {
	return append(args,
		string(e.Tenant), e.Source, e.Event, e.hash[:], string(e.Meter), string(e.Session), string(e.Request),
		e.Server, e.Tool, e.Model, e.Outcome, flag(e.Billable), string(e.Environment), e.quantities,
		int64(e.Attempts), e.Duration.Milliseconds(), e.metadata, e.day,
		nanos(e.OccurredAt), nanos(e.ReceivedAt), nil, int64(e.Sequence), nil) //nolint:gosec // a stream does not reach 2^63 messages
}

func compareIDs(a, b usage.ID) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Event, b.Event))
}

// quantitiesText is the JSON of quantities. Units are plain words nearly always,
// and then it needs no reflection.
func quantitiesText(quantities []usage.Quantity) (string, error) {
	text := make([]byte, 0, 64)
	for i, quantity := range quantities {
		if !plain(quantity.Unit) {
			text, err := json.Marshal(quantities)
			return string(text), err
		}
		separator := byte(',')
		if i == 0 {
			separator = '['
		}
		text = append(text, separator)
		text = append(text, `{"unit":"`...)
		text = append(text, quantity.Unit...)
		text = append(text, `","amount":"`...)
		text = append(text, quantity.Amount.String()...)
		text = append(text, `"}`...)
	}
	if len(quantities) == 0 {
		return "[]", nil
	}
	return string(append(text, ']')), nil
}

// metadataText is the JSON of metadata; one plain pair is what most sessions
// have.
func metadataText(metadata map[string]string) (string, error) {
	switch len(metadata) {
	case 0:
		return "{}", nil
	case 1:
		for key, value := range metadata {
			if plain(key) && plain(value) {
				return `{"` + key + `":"` + value + `"}`, nil
			}
		}
	}
	text, err := json.Marshal(metadata)
	return string(text), err
}

// plain reports whether a text stands in JSON as it is.
func plain(text string) bool {
	for i := range len(text) {
		switch letter := text[i]; {
		case letter < ' ', letter > '~', letter == '"', letter == '\\', letter == '<', letter == '>', letter == '&':
			return false
		}
	}
	return true
}
