package usage

import (
	"cmp"
	"slices"

	"github.com/feira-dev/feira/events"
)

// Key is what quantities are summed by.
type Key struct {
	Meter       events.Meter       `json:"meter"`
	Unit        string             `json:"unit"`
	Server      string             `json:"server,omitempty"`
	Tool        string             `json:"tool,omitempty"`
	Model       string             `json:"model,omitempty"`
	Billable    bool               `json:"billable"`
	Environment events.Environment `json:"environment"`
}

// Compare orders keys field by field.
func (k Key) Compare(other Key) int {
	return cmp.Or(
		cmp.Compare(k.Meter, other.Meter),
		cmp.Compare(k.Unit, other.Unit),
		cmp.Compare(k.Server, other.Server),
		cmp.Compare(k.Tool, other.Tool),
		cmp.Compare(k.Model, other.Model),
		cmp.Compare(k.Environment, other.Environment),
		compareBool(k.Billable, other.Billable),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// Total is the sum of the quantities of one key.
type Total struct {
	Key
	Amount Amount `json:"amount"`
}

// Totals are a tenant's sums in a period, each key once, in the order of keys.
type Totals []Total

// In leaves the totals of one environment.
func (t Totals) In(environment events.Environment) Totals {
	return slices.DeleteFunc(slices.Clone(t), func(total Total) bool { return total.Environment != environment })
}

// Sum is the exact sum of all quantities of one meter and unit, billable or not.
func (t Totals) Sum(meter events.Meter, unit string) (Amount, error) {
	var sum Amount
	for _, total := range t {
		if total.Meter != meter || total.Unit != unit {
			continue
		}
		var err error
		if sum, err = sum.Add(total.Amount); err != nil {
			return Amount{}, err
		}
	}
	return sum, nil
}

// Tally sums quantities by key. The zero value is not usable; see [NewTally].
type Tally struct{ sums map[Key]Amount }

// NewTally is an empty tally.
func NewTally() *Tally { return &Tally{sums: map[Key]Amount{}} }

// Add puts a quantity to its key.
func (t *Tally) Add(key Key, amount Amount) error {
	sum, err := t.sums[key].Add(amount)
	if err != nil {
		return err
	}
	t.sums[key] = sum
	return nil
}

// AddRow puts each quantity of a row to its key.
func (t *Tally) AddRow(row Row) error {
	for _, quantity := range row.Quantities {
		if err := t.Add(row.Key(quantity.Unit), quantity.Amount); err != nil {
			return err
		}
	}
	return nil
}

// Totals are the sums so far, in the order of keys, but for those of nothing:
// what was voided leaves no trace in a sum.
func (t *Tally) Totals() Totals {
	totals := make(Totals, 0, len(t.sums))
	for key, amount := range t.sums {
		if amount.IsZero() {
			continue
		}
		totals = append(totals, Total{Key: key, Amount: amount})
	}
	slices.SortFunc(totals, func(a, b Total) int { return a.Compare(b.Key) })
	return totals
}

// Charge is so many events of one key with the same quantity: what a price that
// looks at each event needs.
type Charge struct {
	Key
	Amount Amount
	Count  int64
}

// Charges are a tenant's charges in a period, each (key, amount) once, in order.
type Charges []Charge

// ChargeTally counts events by key and quantity. The zero value is not usable;
// see [NewChargeTally].
type ChargeTally struct{ counts map[chargeKey]int64 }

type chargeKey struct {
	Key
	amount Amount
}

// NewChargeTally is an empty tally.
func NewChargeTally() *ChargeTally { return &ChargeTally{counts: map[chargeKey]int64{}} }

// AddRow counts each quantity of a row that is not nothing.
func (t *ChargeTally) AddRow(row Row) {
	for _, quantity := range row.Quantities {
		if !quantity.Amount.IsZero() {
			t.counts[chargeKey{row.Key(quantity.Unit), quantity.Amount}]++
		}
	}
}

// Charges are the counts so far, in order.
func (t *ChargeTally) Charges() Charges {
	charges := make(Charges, 0, len(t.counts))
	for key, count := range t.counts {
		charges = append(charges, Charge{Key: key.Key, Amount: key.amount, Count: count})
	}
	slices.SortFunc(charges, func(a, b Charge) int {
		return cmp.Or(a.Compare(b.Key), cmp.Compare(a.Amount.whole, b.Amount.whole), cmp.Compare(a.Amount.nano, b.Amount.nano))
	})
	return charges
}

// Snapshot is a tenant's usage of a period as it was at one moment of the
// ledger.
type Snapshot struct {
	Totals Totals
	// Charges are of the meters that were asked for.
	Charges Charges
	// Rows is how many rows it is of, voided ones included; Digest is of the set
	// of them, whatever their order.
	Rows   int
	Digest string
}
