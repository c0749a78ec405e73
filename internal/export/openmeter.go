package export

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/internal/usage"
)

// openMeter tells OpenMeter: CloudEvents over HTTP, as JSON. It keeps events
// apart by source and id.
type openMeter struct {
	*wire
	settings Settings
}

func newOpenMeter(config Config) *openMeter {
	return &openMeter{wire: newWire(config, bearer(config.Key)), settings: config.Settings}
}

// cloudEvent is an event in CloudEvents' JSON format.
type cloudEvent struct {
	SpecVersion string         `json:"specversion"`
	Type        string         `json:"type"`
	ID          string         `json:"id"`
	Time        string         `json:"time"`
	Source      string         `json:"source"`
	Subject     string         `json:"subject"`
	Data        map[string]any `json:"data"`
}

// cloudEvent is an item as an event. The quantity is a string, which OpenMeter
// reads as a number: no float stands between the ledger and the meter.
func (s Settings) cloudEvent(item usage.Item) cloudEvent {
	kind, _ := s.event(item.Row.Meter, item.Unit)
	subject, _ := s.tenant(item.Row.Tenant)
	data := s.properties(item)
	data[s.Value] = item.Change.String()
	cause := item.Cause()
	id := cause.Event
	if len(item.Row.Quantities) != 1 || item.Correction != (usage.ID{}) { // it may be one of several units
		id += ":" + item.Unit
	}
	return cloudEvent{
		SpecVersion: "1.0", Type: kind, ID: id, Time: moment(item.Row.OccurredAt), Source: cause.Source, Subject: subject, Data: data,
	}
}

func (o *openMeter) send(ctx context.Context, batch batch) error {
	list := make([]cloudEvent, len(batch.items))
	for i, item := range batch.items {
		list[i] = o.settings.cloudEvent(item)
	}
	body, err := marshal(list)
	if err != nil {
		return err
	}
	got, err := o.wire.send(ctx, letter{method: http.MethodPost, path: "/api/v1/events", kind: "application/cloudevents-batch+json", body: body})
	if err != nil {
		return err
	}
	if !got.ok() {
		return o.refusal(got)
	}
	return nil
}

// look asks the meters whose slugs are listed. Others are not compared.
func (o *openMeter) look(ctx context.Context, ours []Sum) ([]Sum, error) {
	var theirs []Sum
	asked := false
	for _, our := range ours {
		slug := o.settings.idOf(our)
		if slug == "" {
			theirs = append(theirs, our)
			continue
		}
		asked = true
		subject, _ := o.settings.tenant(tenantOf(our))
		body, err := o.get(ctx, "/api/v1/meters/"+url.PathEscape(slug)+"/query", url.Values{"subject": {subject}})
		if err != nil {
			return nil, err
		}
		total, rows, err := readMeter(body)
		if err != nil {
			return nil, err
		}
		if rows > 0 {
			theirs = append(theirs, Sum{Tenant: our.Tenant, Meter: our.Meter, Unit: our.Unit, Count: -1, Total: total})
		}
	}
	if !asked && len(ours) > 0 {
		return nil, errNoWord
	}
	return theirs, nil
}

// readMeter adds the values of a query up. They are JSON numbers, read as the
// digits that they are.
func readMeter(body []byte) (total usage.Change, rows int, err error) {
	var answer struct {
		Data []struct {
			Value json.Number `json:"value"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return total, 0, fmt.Errorf("reading a meter: %w", err)
	}
	for _, row := range answer.Data {
		value, err := parseNumber(row.Value)
		if err != nil {
			return total, 0, fmt.Errorf("reading a meter: %w", err)
		}
		if total, err = total.Add(value); err != nil {
			return total, 0, fmt.Errorf("reading a meter: %w", err)
		}
	}
	return total, len(answer.Data), nil
}

// parseNumber reads a JSON number, also one with an exponent.
func parseNumber(number json.Number) (usage.Change, error) {
	value, _, err := apd.NewFromString(number.String())
	if err != nil || value.Form != apd.Finite {
		return usage.Change{}, fmt.Errorf("%w: %q", usage.ErrInvalidAmount, number)
	}
	value.Reduce(value)
	return usage.ParseChange(value.Text('f'))
}

// marshal is JSON without escapes for HTML, and without a line's end.
func marshal(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("writing a request: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}
