package usage_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/usage"
)

func zone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	found, err := usage.Zone(name)
	require.NoError(tb, err)
	return found
}

func TestMonthIsTheZonesOwn(t *testing.T) {
	t.Parallel()
	november, err := usage.ParseMonth("2026-11", zone(t, ""))
	require.NoError(t, err)
	require.Equal(t, "2026-11-01T03:00:00Z", november.From.UTC().Format(time.RFC3339))
	require.Equal(t, "2026-12-01T03:00:00Z", november.To.UTC().Format(time.RFC3339))
	require.True(t, november.Contains(november.From))
	require.False(t, november.Contains(november.To))
	require.True(t, november.Contains(november.To.Add(-1)))
	require.Equal(t, november, usage.MonthOf(november.To.Add(-1), zone(t, "")))

	_, err = usage.ParseMonth("2026-13", zone(t, ""))
	require.ErrorIs(t, err, usage.ErrInvalidPeriod)
	_, err = usage.NewPeriod(november.To, november.From)
	require.ErrorIs(t, err, usage.ErrInvalidPeriod)
	_, err = usage.NewPeriod(november.From, november.From)
	require.ErrorIs(t, err, usage.ErrInvalidPeriod)
	_, err = usage.Zone("America/Nowhere")
	require.ErrorIs(t, err, usage.ErrInvalidPeriod)
}

// In these zones the clock is, or was, put at midnight: the day begins late, or
// midnight comes twice.
func TestDayBeginsWithItsFirstInstant(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"America/Sao_Paulo", "America/Santiago", "America/Havana", "Asia/Beirut", "Africa/Cairo", "America/Asuncion",
		"UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Atlantic/Azores",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := zone(t, name)
			for day := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2030; day = day.AddDate(0, 0, 1) {
				start := usage.StartOfDay(day.Year(), day.Month(), day.Day(), where)
				date := day.Format(time.DateOnly)
				if got := usage.DateOf(start, where); got != date {
					t.Fatalf("%s begins on %s", date, got)
				}
				if got := usage.DateOf(start.Add(-1), where); got >= date {
					t.Fatalf("%s begins before %s", date, start)
				}
			}
		})
	}
}

func TestMonthsPartTime(t *testing.T) {
	t.Parallel()
	where := zone(t, "")
	rapid.Check(t, func(t *rapid.T) {
		moment := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "second"), 0)
		month := usage.MonthOf(moment, where)
		read, err := usage.ParseMonth(month.From.In(where).Format("2006-01"), where)
		require.NoError(t, err)
		require.Equal(t, month, read)
		require.True(t, month.Contains(moment))
		require.False(t, usage.MonthOf(month.To, where).Contains(moment))
	})
}
