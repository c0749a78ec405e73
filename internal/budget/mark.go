package budget

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// marks are the parts of a limit that are told of, in per cent.
func marks() []int { return []int{50, 80, 100} }

// keptMarks is how long a mark of a period that is over is remembered: longer
// than two of any.
const keptMarks = 100 * 24 * time.Hour

// Reached is a mark that spending has come to.
type Reached struct {
	// ID is the same for whoever finds it, and of one period.
	ID      string
	Budget  tenant.Budget
	Session events.SessionID // empty for the tenant's whole use
	Percent int
	Spent   tenant.Amount
	// From and To are the period; zero for all time.
	From, To time.Time

	start int64
}

// mark looks which marks a cell has come to.
func (a *Account) mark(p *purse, in cell) {
	spent := p.spent[in]
	for _, r := range a.rules {
		if r.purse != p {
			continue
		}
		for _, percent := range marks() {
			// In this order nothing overflows.
			at := r.Limit/100*tenant.Amount(percent) + (r.Limit%100*tenant.Amount(percent)+99)/100
			if spent < at {
				continue
			}
			reached := Reached{Budget: r.Budget, Session: in.session, Percent: percent, Spent: spent, start: in.start}
			if p.every != tenant.InTotal {
				reached.From, reached.To = span(p.every, time.Unix(in.start, 0), p.location)
			}
			reached.ID = fmt.Sprintf("budget/%s/%d/%s/%d", r.Name, in.start, cmp.Or(string(in.session), "all"), percent)
			if _, told := a.told[reached.ID]; told {
				continue
			}
			if _, waits := a.due[reached.ID]; !waits {
				a.due[reached.ID] = reached
			}
		}
	}
}

// Due are the marks that have been come to and not been told, the lowest first.
func (a *Account) Due() []Reached {
	due := make([]Reached, 0, len(a.due))
	for _, reached := range a.due {
		due = append(due, reached)
	}
	slices.SortFunc(due, func(x, y Reached) int {
		return cmp.Or(cmp.Compare(x.start, y.start), cmp.Compare(x.Percent, y.Percent), cmp.Compare(x.ID, y.ID))
	})
	return due
}

// Told takes in that the log tells of a mark, at this place, whoever wrote it.
func (a *Account) Told(id string, from time.Time, place uint64) {
	start := int64(0)
	if !from.IsZero() {
		start = from.Unix()
	}
	a.told[id] = start
	delete(a.due, id)
	a.last = max(a.last, place)
}

// GoOn takes the log of marks as it is, which may have lost its beginning.
func (a *Account) GoOn(log []events.Record) {
	a.last = 0
	for _, record := range log {
		a.last = record.Sequence
		if event, ok := record.Event.(*events.BudgetReached); ok {
			a.Told(record.ID, event.From, record.Sequence)
		}
	}
}

// LastTold is the place of the last mark in the log, 0 for none.
func (a *Account) LastTold() uint64 { return a.last }

// forget lets marks go whose periods are long over.
func (a *Account) forget() {
	oldest := a.now.Add(-keptMarks).Unix()
	for id, start := range a.told {
		if start > 0 && start < oldest {
			delete(a.told, id)
		}
	}
	for id, reached := range a.due {
		if reached.start > 0 && reached.start < oldest {
			delete(a.due, id)
		}
	}
}
