package chaos_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

// refuseEvery of the events that an endpoint hears of first, it takes one and
// answers 500, so that it has to be told again, and what is behind it has to wait.
const refuseEvery = 30

// endpoints are the tenants' receivers of triggers, in the test's process.
type endpoints struct {
	*httptest.Server

	mu  sync.Mutex // guards what the receivers hold
	all map[tenant.ID]*receiver
}

// receiver is one tenant's, which believes nothing but the library of Standard
// Webhooks.
type receiver struct {
	library *standardwebhooks.Webhook
	known   map[string]tale
	order   []string // ids by their first arrival
	wire    int
	faults  []string
}

// tale is what a trigger tells, by what an outsider can know of it.
type tale struct{ lane, name string }

func newEndpoints(t *testing.T) *endpoints {
	t.Helper()
	e := &endpoints{all: map[tenant.ID]*receiver{}}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// open makes a tenant's trigger, which hears of everything.
func (e *endpoints) open(t *testing.T, operator *app.Operator, id tenant.ID) {
	t.Helper()
	of, err := operator.Triggers(t.Context(), id)
	require.NoError(t, err)
	_, secret, err := of.Open(t.Context(), app.TriggerDraft{Name: "all", Event: trigger.All, URL: e.URL + "/" + string(id)})
	require.NoError(t, err)
	library, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all[id] = &receiver{library: library, known: map[string]tale{}}
}

// ServeHTTP implements [http.Handler].
func (e *endpoints) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender was killed in the middle
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	of := e.all[tenant.ID(request.URL.Path[1:])]
	if of == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.WriteHeader(of.take(tenant.ID(request.URL.Path[1:]), request.Header, body))
}

func (r *receiver) take(owner tenant.ID, header http.Header, body []byte) int {
	r.wire++
	fault := func(format string, args ...any) int {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
		return http.StatusOK
	}
	if err := r.library.Verify(body, header); err != nil {
		return fault("a signature does not hold: %v", err)
	}
	var read struct {
		ID     string    `json:"id"`
		Type   string    `json:"type"`
		Tenant tenant.ID `json:"tenant_id"`
		Server string    `json:"server_id"`
		Object string    `json:"object"`
		Data   struct {
			Event   string `json:"provider_event_id"`
			Request string `json:"request_id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &read); err != nil {
		return fault("a body is not JSON: %v", err)
	}
	if read.ID != header.Get(trigger.HeaderID) || read.Tenant != owner {
		return fault("%s of %s came as %s to %s", read.ID, read.Tenant, header.Get(trigger.HeaderID), owner)
	}
	told := tale{lane: read.Server + "/" + read.Object, name: read.Type + " " + read.Data.Event + read.Data.Request}
	if before, again := r.known[read.ID]; again {
		if before != told {
			return fault("%s is %v, and was %v", read.ID, told, before)
		}
		return http.StatusOK
	}
	r.known[read.ID] = told
	r.order = append(r.order, read.ID)
	if len(r.order)%refuseEvery == 0 {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// heard is how many events all receivers know, and how often they were told.
func (e *endpoints) heard() (events, wire int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, of := range e.all {
		events += len(of.order)
		wire += of.wire
	}
	return events, wire
}

// judge holds what was told against the log, whose order is the broker's: each
// event has one id, none is missing or too many, and those of one object came,
// each for the first time, as they stand there.
func (e *endpoints) judge(t *testing.T, log []events.Record) {
	t.Helper()
	want := map[tenant.ID]map[string][]string{}
	for _, record := range log {
		told := tale{}
		switch event := record.Event.(type) {
		case *events.WebhookReceived:
			told = tale{lane: event.Server + "/" + event.Object, name: string(event.Fact) + " " + event.Event}
		case *events.TurnCompleted:
			told = tale{lane: "/" + string(record.Session), name: trigger.NameTurnCompleted + " " + string(record.Request)}
		default:
			continue
		}
		if want[record.Tenant] == nil {
			want[record.Tenant] = map[string][]string{}
		}
		want[record.Tenant][told.lane] = append(want[record.Tenant][told.lane], told.name)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	longest := 0
	for id, of := range e.all {
		require.Empty(t, of.faults, id)
		got := map[string][]string{}
		for _, name := range of.order {
			told := of.known[name]
			got[told.lane] = append(got[told.lane], told.name)
			longest = max(longest, len(got[told.lane]))
		}
		require.Equal(t, want[id], got, id)
	}
	require.Greater(t, longest, 1, "no object had two events, so that their order says nothing")
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(e.all)))
}
