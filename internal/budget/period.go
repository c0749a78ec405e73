package budget

import (
	"time"

	"github.com/feira-dev/feira/internal/tenant"
)

// period is one day, week or month by a zone's calendar, by when it begins, in
// seconds since 1970; all time has begun then.
func period(every tenant.BudgetPeriod, at time.Time, zone *time.Location) int64 {
	from, _ := span(every, at, zone)
	if from.IsZero() {
		return 0
	}
	return from.Unix()
}

// span is the period that a moment lies in; zero times for all time.
func span(every tenant.BudgetPeriod, at time.Time, zone *time.Location) (from, to time.Time) {
	at = at.In(zone)
	year, month, day := at.Date()
	midnight := func(month time.Month, day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, zone) }
	switch every {
	case tenant.PerDay:
		return midnight(month, day), midnight(month, day+1)
	case tenant.PerWeek:
		monday := day - (int(at.Weekday())+6)%7
		return midnight(month, monday), midnight(month, monday+7)
	case tenant.PerMonth:
		return midnight(month, 1), midnight(month+1, 1)
	case tenant.InTotal:
		return time.Time{}, time.Time{}
	default:
		return time.Time{}, time.Time{}
	}
}
