package export_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/usage"
)

func customers() map[events.TenantID]string {
	return map[events.TenantID]string{"tenant_acme": "cus_acme", "tenant_loja": "cus_loja"}
}

// other is a system that honours identifiers: what it has once it counts once.
type other struct {
	kind export.Kind
	url  string

	mu    sync.Mutex
	taken map[string]taken
	// hook runs when a request has been taken and not answered yet.
	hook func(n int)
	n    int
	bad  []string // what no such system is sent
}

type taken struct {
	tenant, meter string // as they are called there
	value         usage.Change
	raw           string
}

func newOther(t *testing.T, kind export.Kind) *other {
	t.Helper()
	made := &other{kind: kind, taken: map[string]taken{}}
	server := httptest.NewServer(made)
	t.Cleanup(server.Close)
	made.url = server.URL
	t.Cleanup(func() {
		made.mu.Lock()
		defer made.mu.Unlock()
		require.Empty(t, made.bad)
	})
	return made
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.kind != export.KindWebhook && r.Header.Get("Authorization") != "Bearer "+secret {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodGet {
		o.answer(w, r)
		return
	}
	switch o.kind {
	case export.KindOpenMeter:
		o.openMeter(w, r)
	case export.KindLago:
		o.lago(w, r)
	case export.KindStripe:
		o.stripe(w, r)
	case export.KindWebhook:
		o.webhook(w, r)
	case export.KindCSV, export.KindParquet:
	}
	o.n++
	if o.hook != nil {
		o.hook(o.n)
	}
}

// take keeps what is new; the same identifier with something else is a fault.
func (o *other) take(id string, what taken) (fresh bool) {
	before, known := o.taken[id]
	if known && before.raw != what.raw {
		o.bad = append(o.bad, id+" was "+before.raw+", is "+what.raw)
	}
	o.taken[id] = what
	return !known
}

func (o *other) decode(r *http.Request, into any) {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		o.bad = append(o.bad, err.Error())
	}
}

func (o *other) value(text string) usage.Change {
	value, err := usage.ParseChange(text)
	if err != nil {
		o.bad = append(o.bad, err.Error())
	}
	return value
}

func (o *other) openMeter(w http.ResponseWriter, r *http.Request) {
	var list []struct {
		ID, Source, Subject, Type string
		Data                      map[string]string
	}
	o.decode(r, &list)
	for _, event := range list {
		o.take(event.Source+"#"+event.ID, taken{event.Subject, event.Type, o.value(event.Data["quantity"]), event.Data["quantity"]})
	}
	w.WriteHeader(http.StatusNoContent)
}

// lago takes a batch as a whole, or says which of it is there.
func (o *other) lago(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Events []struct {
			ID         string `json:"transaction_id"`
			Tenant     string `json:"external_subscription_id"`
			Code       string
			Properties map[string]json.RawMessage
		}
	}
	o.decode(r, &body)
	known := map[string]any{}
	for i, event := range body.Events {
		if _, there := o.taken[event.ID]; there {
			known[strconv.Itoa(i)] = map[string][]string{"transaction_id": {"value_already_exist"}}
		}
	}
	if len(known) > 0 {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": 422, "code": "validation_errors", "error_details": known})
		return
	}
	for _, event := range body.Events {
		text := string(event.Properties["quantity"])
		o.take(event.ID, taken{event.Tenant, event.Code, o.value(text), text})
	}
}

func (o *other) stripe(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		o.bad = append(o.bad, err.Error())
	}
	id := r.Form.Get("identifier")
	if len(id) > 100 {
		o.bad = append(o.bad, "identifier is too long")
	}
	fresh := o.take(id, taken{
		r.Form.Get("payload[stripe_customer_id]"), r.Form.Get("event_name"), o.value(r.Form.Get("payload[value]")), r.Form.Encode(),
	})
	if !fresh {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{
			"type": "invalid_request_error", "message": "An event already exists with identifier " + id + ".",
		}})
	}
}

// webhook takes a delivery once, by its id.
func (o *other) webhook(_ http.ResponseWriter, r *http.Request) {
	var body struct {
		Data struct {
			Items []struct {
				ID, Tenant, Quantity string
				Properties           map[string]string
			}
		}
	}
	o.decode(r, &body)
	for _, item := range body.Data.Items {
		o.take(item.ID, taken{item.Tenant, item.Properties["meter"] + "." + item.Properties["unit"], o.value(item.Quantity), item.Quantity})
	}
	if r.Header.Get("Webhook-Id") == "" || !strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") {
		o.bad = append(o.bad, "it is not signed")
	}
}

// sum is what it has, by tenant and meter.
func (o *other) sum(t *testing.T) map[string]usage.Change {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	found := map[string]usage.Change{}
	for _, one := range o.taken {
		sum, err := found[one.tenant+" "+one.meter].Add(one.value)
		require.NoError(t, err)
		found[one.tenant+" "+one.meter] = sum
	}
	return found
}

// answer says what it has when it is asked.
func (o *other) answer(w http.ResponseWriter, r *http.Request) {
	var page map[string]any
	switch {
	case strings.HasSuffix(r.URL.Path, "/query"): // OpenMeter
		slugs := map[string]string{"calls": "call", "input": "input", "output": "output"}
		page = map[string]any{"data": []any{map[string]any{
			"value": o.total(r.URL.Query().Get("subject"), slugs[strings.Split(r.URL.Path, "/")[4]]),
		}}}
	case strings.HasSuffix(r.URL.Path, "/event_summaries"): // Stripe
		ids := map[string]string{"mtr_calls": "feira_calls", "mtr_input": "feira_input", "mtr_output": "feira_output"}
		page = map[string]any{"has_more": false, "data": []any{map[string]any{
			"id": "sum_1", "aggregated_value": o.total(r.URL.Query().Get("customer"), ids[strings.Split(r.URL.Path, "/")[4]]),
		}}}
	default: // Lago, in pages of two
		page = o.events(r.URL.Query())
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (o *other) total(tenant, meter string) json.RawMessage {
	var sum usage.Change
	for _, one := range o.taken {
		if one.tenant == tenant && one.meter == meter {
			var err error
			if sum, err = sum.Add(one.value); err != nil {
				o.bad = append(o.bad, err.Error())
			}
		}
	}
	return json.RawMessage(sum.String())
}

func (o *other) events(query url.Values) map[string]any {
	var all []any
	for id, one := range o.taken {
		if one.tenant == query.Get("external_subscription_id") && one.meter == query.Get("code") {
			all = append(all, map[string]any{"transaction_id": id, "properties": map[string]any{"quantity": json.RawMessage(one.raw)}})
		}
	}
	return map[string]any{"events": all, "meta": map[string]any{"next_page": nil}}
}
