package export

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/hostile"
	"github.com/feira-dev/feira/internal/usage"
)

// reconcile holds the ledger's items against what waits and what was sent, and
// what was accepted against Stripe's own summaries of its meters.
func (s *stripe) reconcile(ctx context.Context, found *Reconciliation) error {
	name := s.settings.Name
	sends, err := s.books.Sends(ctx, name)
	if err != nil {
		return err
	}
	if err := s.own(ctx, sends, found); err != nil {
		return err
	}
	accepted := sums{}
	spans := map[sumKey]usage.Period{}
	for _, send := range sends {
		key := sumKey{string(send.Tenant), string(send.Meter), send.Unit}
		switch send.State {
		case usage.SendAccepted:
			if err := accepted.add(key, send.Value); err != nil {
				return err
			}
			spans[key] = widen(spans[key], send)
		case usage.SendRefused, usage.SendCorrection, usage.SendUnknown, usage.SendHeld:
		case usage.SendReady, usage.SendTried:
			found.Waiting++
		}
	}
	found.Findings = append(found.Findings, troubles(sends)...)
	return s.theirs(ctx, accepted, spans, found)
}

// own holds the items up to the cursor against windows and sends.
func (s *stripe) own(ctx context.Context, sends []usage.Send, found *Reconciliation) error {
	differences, ours, err := checkWindows(ctx, s.books, windowed{
		export: s.settings.Name, sends: sends, filter: s.settings.filter(),
	})
	found.Differences = append(found.Differences, differences...)
	found.Sums = len(ours)
	for _, sum := range ours {
		found.Items += sum.Count
	}
	return err
}

// theirs asks the meters whose ids are listed.
func (s *stripe) theirs(ctx context.Context, accepted sums, spans map[sumKey]usage.Period, found *Reconciliation) error {
	for _, our := range accepted.list() {
		meter, _ := s.settings.meter(meterOf(our), our.Unit)
		if meter.ID == "" {
			continue
		}
		total, err := s.summary(ctx, tenantOf(our), meter.ID, spans[our.key()])
		if err != nil {
			return fmt.Errorf("asking for meter %s: %w", meter.ID, err)
		}
		found.Asked = true
		if total != our.Total {
			found.Differences = append(found.Differences, Difference{
				Ours: our, Theirs: Sum{Tenant: our.Tenant, Meter: our.Meter, Unit: our.Unit, Count: -1, Total: total}, Why: "the totals differ",
			})
		}
	}
	return nil
}

func widen(span usage.Period, send usage.Send) usage.Period {
	if span.From.IsZero() || send.Start.Before(span.From) {
		span.From = send.Start
	}
	if send.End.After(span.To) {
		span.To = send.End
	}
	return span
}

// stripePages bounds how many summaries one look reads.
const stripePages = 10_000

// summary is what a meter has of a customer in a time of whole hours.
func (s *stripe) summary(ctx context.Context, tenant events.TenantID, meter string, span usage.Period) (total usage.Change, err error) {
	customer, _ := s.settings.tenant(tenant)
	from, to := span.From.Truncate(time.Hour), span.To.Add(time.Hour-1).Truncate(time.Hour)
	query := url.Values{
		"customer": {customer}, "start_time": {strconv.FormatInt(from.Unix(), 10)}, "end_time": {strconv.FormatInt(to.Unix(), 10)},
		"value_grouping_window": {"hour"}, "limit": {"100"},
	}
	for range stripePages {
		body, err := s.get(ctx, "/v1/billing/meters/"+url.PathEscape(meter)+"/event_summaries", query)
		if err != nil {
			return total, err
		}
		var page struct {
			Data []struct {
				ID    string      `json:"id"`
				Value json.Number `json:"aggregated_value"`
			} `json:"data"`
			HasMore bool `json:"has_more"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return total, fmt.Errorf("reading summaries: %w", err)
		}
		for _, row := range page.Data {
			value, err := parseNumber(row.Value)
			if err != nil {
				return total, fmt.Errorf("reading summaries: %w", err)
			}
			if total, err = total.Add(value); err != nil {
				return total, err
			}
			query.Set("starting_after", row.ID)
		}
		if !page.HasMore || len(page.Data) == 0 {
			return total, nil
		}
	}
	return total, nil
}

func clean(text string) string { return hostile.Clip(hostile.Clean(text), maxTold) }

func tenantOf(sum Sum) events.TenantID { return events.TenantID(sum.Tenant) }

func meterOf(sum Sum) events.Meter { return events.Meter(sum.Meter) }

// idOf is the meter's id on the other side, where the settings list one.
func (s Settings) idOf(sum Sum) string {
	meter, _ := s.meter(meterOf(sum), sum.Unit)
	return meter.ID
}
