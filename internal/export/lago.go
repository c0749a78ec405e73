package export

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// lagoBatch is the most that Lago takes in one request.
const lagoBatch = 100

// lago tells Lago. It keeps events apart by their transaction_id, and takes a
// batch as a whole or not at all.
type lago struct {
	*wire
	settings Settings
}

func newLago(config Config) *lago {
	return &lago{wire: newWire(config, bearer(config.Key)), settings: config.Settings}
}

type lagoEvent struct {
	TransactionID string         `json:"transaction_id"`
	Subscription  string         `json:"external_subscription_id"`
	Code          string         `json:"code"`
	Timestamp     json.Number    `json:"timestamp"`
	Properties    map[string]any `json:"properties"`
}

func (l *lago) event(item usage.Item) lagoEvent {
	code, _ := l.settings.event(item.Row.Meter, item.Unit)
	subscription, _ := l.settings.tenant(item.Row.Tenant)
	properties := l.settings.properties(item)
	properties[l.settings.Value] = json.Number(item.Change.String())
	return lagoEvent{
		TransactionID: item.Key(), Subscription: subscription, Code: code, Timestamp: seconds(item.Row.OccurredAt), Properties: properties,
	}
}

// seconds are Unix seconds, to the millisecond where there are any.
func seconds(at time.Time) json.Number {
	text := strconv.FormatInt(at.Unix(), 10)
	if milliseconds := at.UnixMilli() - at.Unix()*1000; milliseconds != 0 {
		text += fmt.Sprintf(".%03d", milliseconds)
	}
	return json.Number(text)
}

func (l *lago) send(ctx context.Context, batch batch) error {
	for items := range slices.Chunk(batch.items, lagoBatch) {
		events := make([]lagoEvent, len(items))
		for i, item := range items {
			events[i] = l.event(item)
		}
		if err := l.post(ctx, events); err != nil {
			return err
		}
	}
	return nil
}

// post sends events, and again without those that Lago says it has: a batch
// that was cut off halfway is there in part.
func (l *lago) post(ctx context.Context, events []lagoEvent) error {
	for len(events) > 0 {
		body, err := marshal(map[string]any{"events": events})
		if err != nil {
			return err
		}
		got, err := l.wire.send(ctx, letter{method: http.MethodPost, path: "/api/v1/events/batch", kind: "application/json", body: body})
		if err != nil {
			return err
		}
		if got.ok() {
			return nil
		}
		known := lagoKnown(got)
		if len(known) == 0 {
			return l.refusal(got)
		}
		left := events[:0:0]
		for i, event := range events {
			if !known[i] {
				left = append(left, event)
			}
		}
		if len(left) == len(events) {
			return l.refusal(got)
		}
		events = left
	}
	return nil
}

// lagoKnown are the places of events that are there already.
func lagoKnown(got answer) map[int]bool {
	var fault struct {
		Details map[string]map[string][]string `json:"error_details"`
	}
	if got.status != http.StatusUnprocessableEntity || json.Unmarshal(got.body, &fault) != nil {
		return nil
	}
	known := map[int]bool{}
	for place, fields := range fault.Details {
		if at, err := strconv.Atoi(place); err == nil && slices.Contains(fields["transaction_id"], "value_already_exist") {
			known[at] = true
		}
	}
	return known
}

// lagoPages bounds how much one look reads.
const lagoPages = 100_000

// look reads the events of each subscription and code.
func (l *lago) look(ctx context.Context, ours []Sum) ([]Sum, error) {
	theirs := sums{}
	for _, our := range ours {
		code, _ := l.settings.event(meterOf(our), our.Unit)
		subscription, _ := l.settings.tenant(tenantOf(our))
		query := url.Values{"external_subscription_id": {subscription}, "code": {code}, "per_page": {"100"}}
		for page := 1; page > 0 && page <= lagoPages; {
			query.Set("page", strconv.Itoa(page))
			body, err := l.get(ctx, "/api/v1/events", query)
			if err != nil {
				return nil, err
			}
			if page, err = l.count(theirs, our.key(), body); err != nil {
				return nil, err
			}
		}
	}
	return theirs.list(), nil
}

// count adds a page up and returns the next page's number, 0 after the last.
// Events of others than ours are not counted.
func (l *lago) count(theirs sums, key sumKey, body []byte) (next int, err error) {
	var page struct {
		Events []struct {
			TransactionID string                     `json:"transaction_id"`
			Properties    map[string]json.RawMessage `json:"properties"`
		} `json:"events"`
		Meta struct {
			NextPage *int `json:"next_page"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return 0, fmt.Errorf("reading events: %w", err)
	}
	for _, event := range page.Events {
		if !strings.HasPrefix(event.TransactionID, key.tenant+":") {
			continue
		}
		value, err := parseNumber(json.Number(strings.Trim(string(event.Properties[l.settings.Value]), `"`)))
		if err != nil {
			return 0, fmt.Errorf("reading events: %w", err)
		}
		if err := theirs.add(key, value); err != nil {
			return 0, err
		}
	}
	if page.Meta.NextPage == nil {
		return 0, nil
	}
	return *page.Meta.NextPage, nil
}
