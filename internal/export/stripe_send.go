package export

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/internal/usage"
)

// tell sends one sum and keeps what became of it. An error means that nobody
// knows yet; the send is then tried again by the next run.
func (s *stripe) tell(ctx context.Context, send usage.Send) (usage.SendState, error) {
	now := s.now()
	if now.Sub(send.Start) > stripeTakes {
		return s.mark(ctx, send, usage.SendCorrection, "it came when Stripe no longer takes usage of its time; correct it on the invoice")
	}
	if month := usage.MonthOf(send.Start, s.config.Zone); send.State != usage.SendTried && now.Sub(month.To) > s.settings.Closes {
		return s.mark(ctx, send, usage.SendCorrection, "it came when its month was closed; correct it on the next invoice")
	}
	if send.State == usage.SendTried && now.Sub(send.TriedAt) > stripeRemembers {
		arrived, known, err := s.arrived(ctx, send)
		switch {
		case err != nil:
			return send.State, err
		case !known:
			return s.mark(ctx, send, usage.SendUnknown, "it was tried, and Stripe no longer remembers its identifier")
		case arrived:
			return s.mark(ctx, send, usage.SendAccepted, "found by its sum")
		}
		send.State = usage.SendReady
	}
	if send.State != usage.SendTried { // from now on it may have arrived
		send.TriedAt = now
		if _, err := s.mark(ctx, send, usage.SendTried, ""); err != nil {
			return send.State, err
		}
	}
	got, err := s.post(ctx, send)
	switch {
	case err != nil:
		return usage.SendTried, err
	case got.ok():
		return s.mark(ctx, send, usage.SendAccepted, "")
	case stripeKnown(got):
		return s.mark(ctx, send, usage.SendAccepted, "it was there")
	case got.status == http.StatusBadRequest:
		return s.mark(ctx, send, usage.SendRefused, s.wire.tell(got))
	default:
		return usage.SendTried, s.refusal(got)
	}
}

func (s *stripe) mark(ctx context.Context, send usage.Send, state usage.SendState, detail string) (usage.SendState, error) {
	send.State, send.Detail = state, detail
	return state, s.books.MarkSend(ctx, s.settings.Name, send)
}

// post creates a meter event. Its time is the first moment of its window, which
// is in the window and in the period.
func (s *stripe) post(ctx context.Context, send usage.Send) (answer, error) {
	event, _ := s.settings.event(send.Meter, send.Unit)
	customer, _ := s.settings.tenant(send.Tenant)
	form := url.Values{
		"event_name": {event}, "identifier": {send.Identifier}, "timestamp": {strconv.FormatInt(send.Start.Unix(), 10)},
		"payload[stripe_customer_id]": {customer}, "payload[" + s.valueKey() + "]": {send.Value.String()},
	}
	return s.send(ctx, letter{
		method: http.MethodPost, path: "/v1/billing/meter_events", kind: "application/x-www-form-urlencoded", body: []byte(form.Encode()),
		headers: map[string]string{"Idempotency-Key": send.Identifier},
	})
}

// valueKey is where the meter looks for the value.
func (s *stripe) valueKey() string {
	if s.settings.Value == "quantity" { // the default of the other kinds
		return "value"
	}
	return s.settings.Value
}

// stripeKnown reports whether Stripe has an event of this identifier.
func stripeKnown(got answer) bool {
	var fault struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if got.status != http.StatusBadRequest && got.status != http.StatusConflict || json.Unmarshal(got.body, &fault) != nil {
		return false
	}
	return fault.Error.Code == "duplicate_meter_event" || strings.Contains(fault.Error.Message, "already exists with identifier")
}

// arrived asks Stripe for the sum of a send's hour and says whether the send is
// in it; known is false where that cannot be told.
func (s *stripe) arrived(ctx context.Context, send usage.Send) (arrived, known bool, err error) {
	meter, _ := s.settings.meter(send.Meter, send.Unit)
	if meter.ID == "" || send.Start.Minute() != 0 || send.End.Minute() != 0 {
		return false, false, nil
	}
	accepted, err := s.books.Sends(ctx, s.settings.Name, usage.SendAccepted)
	if err != nil {
		return false, false, err
	}
	var before usage.Change
	for _, other := range accepted {
		if other.WindowKey == send.WindowKey {
			if before, err = before.Add(other.Value); err != nil {
				return false, false, err
			}
		}
	}
	after, err := before.Add(send.Value)
	if err != nil {
		return false, false, err
	}
	there, err := s.summary(ctx, send.Tenant, meter.ID, usage.Period{From: send.Start, To: send.End})
	switch {
	case err != nil:
		return false, false, err
	case there == after:
		return true, true, nil
	case there == before:
		return false, true, nil
	default:
		return false, false, nil
	}
}

// RecordErrors reads the report of errors that Stripe sends about meter events
// which it had accepted (v1.billing.meter.error_report_triggered), and takes
// back that they arrived: each is refused, with the reason. What was found wrong
// after its period was invoiced is corrected there by hand. It returns the
// identifiers that are ours.
func (e *Exporter) RecordErrors(ctx context.Context, report []byte) ([]string, error) {
	if e.stripe == nil {
		return nil, errNoWord
	}
	return e.stripe.recordErrors(ctx, report)
}

func (s *stripe) recordErrors(ctx context.Context, report []byte) ([]string, error) {
	var told struct {
		Data struct {
			Reason struct {
				Types []struct {
					Code    string `json:"code"`
					Samples []struct {
						Message string `json:"error_message"`
						Request struct {
							Identifier string `json:"identifier"`
						} `json:"request"`
					} `json:"sample_errors"`
				} `json:"error_types"`
			} `json:"reason"`
		} `json:"data"`
	}
	if err := json.Unmarshal(report, &told); err != nil {
		return nil, err
	}
	sends, err := s.books.Sends(ctx, s.settings.Name)
	if err != nil {
		return nil, err
	}
	ours := make(map[string]usage.Send, len(sends))
	for _, send := range sends {
		ours[send.Identifier] = send
	}
	marked := []string{}
	for _, kind := range told.Data.Reason.Types {
		for _, sample := range kind.Samples {
			send, ok := ours[sample.Request.Identifier]
			if !ok {
				continue
			}
			state := usage.SendRefused
			if !s.now().Before(usage.MonthOf(send.Start, s.config.Zone).To) {
				state = usage.SendCorrection
			}
			if _, err := s.mark(ctx, send, state, s.scrubber.Scrub(clean(kind.Code+": "+sample.Message))); err != nil {
				return marked, err
			}
			marked = append(marked, send.Identifier)
		}
	}
	return marked, nil
}
