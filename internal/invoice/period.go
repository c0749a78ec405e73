package invoice

import (
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// Grace is how long after its end a period takes events as its own.
const Grace = 72 * time.Hour

// State is where a period is in its life.
type State string

// States, in order.
const (
	// StateOpen: usage occurs in it.
	StateOpen State = "open"
	// StateClosing: it has ended, and late events are still its own.
	StateClosing State = "closing"
	// StateClosed: it may be invoiced.
	StateClosed State = "closed"
	// StateInvoiced: what comes now is an adjustment on a later invoice.
	StateInvoiced State = "invoiced"
)

// Period is a calendar month of a ledger's zone, with its name, "2026-11".
type Period struct {
	Name string
	usage.Period
}

// ParsePeriod reads a month such as "2026-11".
func ParsePeriod(name string, zone *time.Location) (Period, error) {
	month, err := usage.ParseMonth(name, zone)
	return Period{Name: name, Period: month}, err
}

// PeriodOf is the month in which a moment lies.
func PeriodOf(moment time.Time, zone *time.Location) Period {
	return Period{Name: moment.In(zone).Format("2006-01"), Period: usage.MonthOf(moment, zone)}
}

// StateOf is the state of a period at a moment.
func StateOf(period usage.Period, invoiced bool, now time.Time) State {
	switch {
	case invoiced:
		return StateInvoiced
	case now.Before(period.To):
		return StateOpen
	case now.Before(period.To.Add(Grace)):
		return StateClosing
	default:
		return StateClosed
	}
}
