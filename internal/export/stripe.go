package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

const (
	// stripeRemembers is for how long Stripe certainly knows an identifier: it
	// says at least 24 hours. Later, sending again could count twice.
	stripeRemembers = 23 * time.Hour
	// stripeTakes is how far back Stripe takes usage: it says 35 days.
	stripeTakes = 35*24*time.Hour - time.Hour
	// maxIdentifier is the longest that Stripe takes.
	maxIdentifier = 100
)

// stripe tells Stripe's billing meters, by hourly sums: a thousand events a
// second is the most that Stripe takes. Sums wait in the ledger until their hour
// has settled; what comes later leaves as the next version of the same hour, so
// that the versions add up.
type stripe struct {
	*wire
	settings Settings
	books    Books
	now      func() time.Time
}

func newStripe(config Config) *stripe {
	return &stripe{wire: newWire(config, bearer(config.Key)), settings: config.Settings, books: config.Books, now: config.Now}
}

// window is the hour in which something occurred, cut where a billing period
// ends inside it.
func (s *stripe) window(item usage.Item) usage.WindowKey {
	at := item.Row.OccurredAt.UTC()
	start := at.Truncate(time.Hour)
	end := start.Add(time.Hour)
	if month := usage.MonthOf(at, s.config.Zone); month.From.After(start) {
		start = month.From.UTC()
	} else if month.To.Before(end) {
		end = month.To.UTC()
	}
	return usage.WindowKey{Tenant: item.Row.Tenant, Meter: item.Row.Meter, Unit: item.Unit, Start: start, End: end}
}

// gather puts a batch into the windows.
func (s *stripe) gather(ctx context.Context, planned usage.Export, items []usage.Item) error {
	windows := map[usage.WindowKey]usage.Change{}
	for _, item := range items {
		key := s.window(item)
		sum, err := windows[key].Add(item.Change)
		if err != nil {
			return err
		}
		windows[key] = sum
	}
	return s.books.GatherExport(ctx, planned, int64(len(items)), windows)
}

// dispatch cuts what has settled and tells Stripe of all that is open.
func (s *stripe) dispatch(fetch, ctx context.Context, report *Report) error {
	if err := s.cut(ctx, report); err != nil {
		return err
	}
	open, err := s.books.Sends(ctx, s.settings.Name, usage.SendReady, usage.SendTried, usage.SendHeld)
	if err != nil {
		return err
	}
	slices.SortStableFunc(open, func(a, b usage.Send) int { return sign(a.Value) - sign(b.Value) }) // what adds before what takes away
	has, err := s.has(ctx, open)
	if err != nil {
		return err
	}
	report.Sends = map[usage.SendState]int{}
	for _, send := range open {
		if fetch.Err() != nil {
			return context.Cause(fetch)
		}
		state, err := s.tellOrHold(ctx, send, has)
		if err != nil {
			return fmt.Errorf("export %s, %s: %w", s.settings.Name, send.Identifier, err)
		}
		report.Sends[state]++
		if state == usage.SendHeld {
			report.Waiting++
		}
	}
	return nil
}

// cut takes the sums of hours that have settled out of their windows. What the
// settings do not name waits and is reported.
func (s *stripe) cut(ctx context.Context, report *Report) error {
	windows, err := s.books.Windows(ctx, s.settings.Name)
	if err != nil {
		return err
	}
	unlisted := map[string]bool{}
	for _, window := range windows {
		event, meter := s.settings.event(window.Meter, window.Unit)
		_, tenant := s.settings.tenant(window.Tenant)
		if !meter {
			unlisted["meter "+event] = true
		}
		if !tenant {
			unlisted["tenant "+string(window.Tenant)] = true
		}
		if !meter || !tenant || s.now().Before(window.End.Add(s.settings.Settle)) {
			report.Waiting++
			continue
		}
		err := s.books.CutSend(ctx, s.settings.Name, window, func(version int64) string { return identifier(window.WindowKey, event, version) })
		if err != nil {
			return err
		}
	}
	report.Unlisted = slices.Sorted(maps.Keys(unlisted))
	return nil
}

// identifier is tenant:meter:hour:version, and the digest of a part of it where
// that is longer than Stripe takes.
func identifier(window usage.WindowKey, event string, version int64) string {
	what := string(window.Tenant) + ":" + event
	when := ":" + window.Start.UTC().Format("20060102T1504") + ":" + strconv.FormatInt(version, 10)
	if len(what)+len(when) > maxIdentifier {
		sum := sha256.Sum256([]byte(what))
		what = hex.EncodeToString(sum[:])
	}
	return what + when
}
