package usage

import (
	"fmt"
	"time"
	// The billing zone must be known wherever the binary runs, also in an image
	// that holds nothing else.
	_ "time/tzdata"
)

// DefaultZone is the zone whose calendar bills by default.
const DefaultZone = "America/Sao_Paulo"

// Period is the half-open interval [From, To) of the time at which usage
// occurred.
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// NewPeriod is the interval from one moment to a later one.
func NewPeriod(from, to time.Time) (Period, error) {
	if !from.Before(to) {
		return Period{}, fmt.Errorf("%w: %s is not before %s", ErrInvalidPeriod, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return Period{From: from, To: to}, nil
}

// Zone returns the zone of that name; "" is [DefaultZone].
func Zone(name string) (*time.Location, error) {
	if name == "" {
		name = DefaultZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: zone %q: %w", ErrInvalidPeriod, name, err)
	}
	return zone, nil
}

// MonthOf is the calendar month of a zone in which a moment lies.
func MonthOf(moment time.Time, zone *time.Location) Period {
	year, month, _ := moment.In(zone).Date()
	return monthPeriod(year, month, zone)
}

// ParseMonth reads a calendar month such as "2026-11" of a zone.
func ParseMonth(text string, zone *time.Location) (Period, error) {
	first, err := time.Parse("2006-01", text)
	if err != nil {
		return Period{}, fmt.Errorf("%w: %q, want a month such as 2026-11", ErrInvalidPeriod, text)
	}
	return monthPeriod(first.Year(), first.Month(), zone), nil
}

func monthPeriod(year int, month time.Month, zone *time.Location) Period {
	return Period{From: startOfDay(year, month, 1, zone), To: startOfDay(year, month+1, 1, zone)}
}

// Contains reports whether a moment lies in the period.
func (p Period) Contains(moment time.Time) bool {
	return !moment.Before(p.From) && moment.Before(p.To)
}

// IsZero reports whether the period is the zero value, which queries read as
// all time.
func (p Period) IsZero() bool { return p.From.IsZero() && p.To.IsZero() }

// String implements fmt.Stringer.
func (p Period) String() string {
	return p.From.Format(time.RFC3339) + "," + p.To.Format(time.RFC3339)
}

// startOfDay is the first instant of a date. Where the clock is put forward at
// midnight the day begins later; where it is put back over midnight, midnight
// comes twice and the first one counts.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	start := time.Date(noon.Year(), noon.Month(), noon.Day(), 0, 0, 0, 0, zone)
	if start.Day() != noon.Day() {
		_, start = start.ZoneBounds()
		return start.In(zone)
	}
	if began, _ := start.ZoneBounds(); !began.IsZero() {
		_, before := began.Add(-time.Nanosecond).In(zone).Zone()
		_, after := start.Zone()
		earlier := start.Add(-time.Duration(before-after) * time.Second)
		if before > after && earlier.In(zone).Day() == noon.Day() && earlier.Before(began) {
			return earlier.In(zone)
		}
	}
	return start
}

// DateOf is the calendar date of a moment in a zone, "2026-11-23".
func DateOf(moment time.Time, zone *time.Location) string {
	return moment.In(zone).Format(time.DateOnly)
}
