package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/webhook"
)

// How many webhooks come in where FEIRA_CHAOS_WEBHOOKS does not say, and from how
// many tenants' providers; every third is sent twice.
const (
	fewWebhooks  = 240
	perCustomer  = 200 // at most so many of one tenant's
	fewCustomers = 6
	senders      = 12
	perObject    = 3               // events about one object
	sendingTime  = 6 * time.Second // at least so long, or nobody is killed meanwhile
	hookSecret   = "whsec_chaos-4242424242424242"
)

// hooks is a provider's side of every tenant, and the processes on ours.
type hooks struct {
	*market

	endpoints *endpoints

	key     string
	front   atomic.Pointer[string]
	paths   map[tenant.ID]string
	sent    atomic.Int64
	refused atomic.Int64
}

func hookTenants(n int) []tenant.Tenant {
	customers := make([]tenant.Tenant, n)
	for i := range customers {
		customers[i] = tenant.Tenant{
			ID: tenant.ID(fmt.Sprintf("shop-%02d", i)), Concurrency: 8,
			Webhooks: []tenant.WebhookRule{{On: "payment.confirmed", Session: tenant.SessionObject, Message: "/say {object} is paid"}},
		}
	}
	return customers
}

// Webhooks come in, a third of them twice, while the gateway, the router, the
// worker and the couriers of triggers are killed with -9 again and again: every
// event is one fact and one turn at the tenant whose it is, and one set of events
// for that tenant's endpoint; none is lost, and those of one object are in order.
func TestKilledProcessesCostNoWebhook(t *testing.T) {
	t.Parallel()
	total := fewWebhooks
	if text := os.Getenv("FEIRA_CHAOS_WEBHOOKS"); text != "" {
		var err error
		total, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	customers := hookTenants(max(fewCustomers, total/perCustomer))
	h := &hooks{market: setup(t, marketParams{tenants: customers}), endpoints: newEndpoints(t), paths: map[tenant.ID]string{}}
	h.cfg.Triggers.Loopback = true
	h.env = append(h.env, "FEIRA_TRIGGERS_LOOPBACK=true")
	h.key = h.apiKey(t)
	scheduler := h.launch(t, "scheduler")
	crew := map[string]*testenv.Child{"webhooks": h.launch(t, "webhooks"), "worker": h.launch(t, "worker", "--worker-slots", "16")}
	crew["triggers"], crew["triggers 2"] = h.launch(t, "triggers"), h.launch(t, "triggers")
	crew["gateway"] = h.gateway(t)
	scheduler.WaitForOutput(t, rolesAreUp)
	operator := h.operator(t)
	for _, customer := range customers {
		h.paths[customer.ID] = h.address(t, customer.ID)
		h.endpoints.open(t, operator, customer.ID)
	}
	began := time.Now()
	over := make(chan error, 1)
	go func() { over <- h.sendAll(t.Context(), customers, total) }()
	kills := h.kill(t, crew, over)
	took := time.Since(began)

	require.Eventually(t, func() bool {
		stream, err := h.js.Stream(t.Context(), events.StreamWebhooks)
		return err == nil && stream.CachedInfo().State.Msgs == 0
	}, 4*patience, pace, "webhooks are left over")
	require.Eventually(t, func() bool { return h.drained(t) }, 4*patience, pace, "requests or runs are left over")
	ran := time.Since(began)
	require.Eventually(t, func() bool { return h.told(t, total) }, 4*patience, pace, "events are left that no endpoint was told of")
	told, wire := h.endpoints.heard()
	require.Positive(t, h.refused.Load(), "nobody was killed while webhooks came in")
	log := h.log(t)
	h.judgeWebhooks(t, log, customers, total)
	h.endpoints.judge(t, log)
	t.Logf("%d events of %d tenants in %d deliveries (%d were refused or cut and sent again) in %s, %d kills -9; all was run after %s: each one turn; "+
		"all was told after %s: %d events in %d deliveries to the tenants' endpoints",
		total, len(customers), h.sent.Load(), h.refused.Load(), took.Round(time.Millisecond), kills, ran.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond), told, wire)
}

// told reports whether the endpoints know of every fact and turn, and nothing
// more waits for them.
func (h *hooks) told(t *testing.T, total int) bool {
	t.Helper()
	if heard, _ := h.endpoints.heard(); heard < 2*total {
		return false
	}
	stream, err := h.js.Stream(t.Context(), events.StreamTriggers)
	return err == nil && stream.CachedInfo().State.Msgs == 0
}

// gateway starts one, and tells the senders where it is.
func (h *hooks) gateway(t *testing.T) *testenv.Child {
	t.Helper()
	child := h.launch(t, "gateway", "--gateway-address", "127.0.0.1:0", "--gateway-api-rate", "1000000")
	at := "http://" + child.WaitForOutput(t, serving)[1]
	h.front.Store(&at)
	return child
}

// address makes the address of a tenant's Stripe.
func (h *hooks) address(t *testing.T, id tenant.ID) string {
	t.Helper()
	ask := func(method, path, body string, into any) {
		request, err := http.NewRequestWithContext(t.Context(), method, *h.front.Load()+path, bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+h.key)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		require.Less(t, answer.StatusCode, 300, path)
		require.NoError(t, json.NewDecoder(answer.Body).Decode(into))
	}
	var listed struct{ Connections []struct{ ID string } }
	ask(http.MethodGet, "/v1/connections?server_id=stripe&user_id="+string(id), "", &listed)
	require.Len(t, listed.Connections, 1)
	var made struct{ Path string }
	ask(http.MethodPost, "/v1/connections/"+listed.Connections[0].ID+"/webhook", `{"secret":"`+hookSecret+`"}`, &made)
	return made.Path
}

// sendAll sends every event until it is taken, every third one twice.
func (h *hooks) sendAll(ctx context.Context, customers []tenant.Tenant, total int) error {
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	work := make(chan int)
	var wait sync.WaitGroup
	for range senders {
		wait.Go(func() {
			for n := range work {
				for range 1 + n%3/2 {
					h.send(ctx, client, customers, n)
				}
			}
		})
	}
	tick := time.NewTicker(max(2*time.Millisecond, sendingTime/time.Duration(total)))
	defer tick.Stop()
	for n := range total {
		select {
		case <-tick.C:
			work <- n
		case <-ctx.Done():
		}
	}
	close(work)
	wait.Wait()
	return ctx.Err()
}

func (h *hooks) send(ctx context.Context, client *http.Client, customers []tenant.Tenant, n int) {
	id, object := customers[n%len(customers)].ID, n/len(customers)/perObject
	body := fmt.Appendf(nil, `{"id":"evt_%s_%d","type":"payment_intent.succeeded","data":{"object":{"id":"pi_%d","status":"succeeded"}}}`, id, n, object)
	lock := webhook.Lock{Scheme: webhook.SchemeStripe, Keys: []webhook.Key{{Text: hookSecret}}}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		h.sent.Add(1)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, *h.front.Load()+h.paths[id], bytes.NewReader(body))
		if err != nil {
			return
		}
		for name, value := range webhook.Sign(lock, "", body, time.Now()) {
			request.Header.Set(name, value)
		}
		answer, err := client.Do(request)
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		h.refused.Add(1)
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// kill kills one after the other until all is sent, and everybody twice at least.
func (h *hooks) kill(t *testing.T, crew map[string]*testenv.Child, over <-chan error) int {
	t.Helper()
	names := []string{"gateway", "webhooks", "triggers", "worker", "triggers 2"}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	sending := true
	kills := 0
	for sending || kills < 2*len(names) {
		wait := time.NewTimer(time.Duration(200+chance.IntN(800)) * time.Millisecond)
		select {
		case err := <-over:
			require.NoError(t, err)
			sending, over = false, nil
		case <-wait.C:
		}
		wait.Stop()
		name := names[kills%len(names)]
		crew[name].Kill(t)
		kills++
		switch name {
		case "gateway":
			crew[name] = h.gateway(t)
		case "worker":
			crew[name] = h.launch(t, name, "--worker-slots", "16")
		default:
			role, _, _ := strings.Cut(name, " ")
			crew[name] = h.launch(t, role)
		}
		crew[name].WaitForOutput(t, rolesAreUp)
	}
	return kills
}

// judgeWebhooks holds the log against what was sent.
func (h *hooks) judgeWebhooks(t *testing.T, log []events.Record, customers []tenant.Tenant, total int) {
	t.Helper()
	told, turns, ended := map[string]int{}, map[string]int{}, map[string]events.TurnStatus{}
	asked := map[string]string{}
	for _, record := range log {
		place := string(record.Tenant) + " " + string(record.Session) + " " + string(record.Request)
		switch event := record.Event.(type) {
		case *events.WebhookReceived:
			told[string(record.Tenant)+" "+event.Event]++
			asked[string(record.Tenant)+" "+event.Event] = string(record.Tenant) + " " + string(record.Session) + " " + string(event.Request)
		case *events.TurnCompleted:
			turns[place]++
			ended[place] = event.Status
		}
	}
	require.Len(t, told, total)
	require.Len(t, turns, total, "no turn but those of events")
	for n := range total {
		id := customers[n%len(customers)].ID
		name := fmt.Sprintf("%s evt_%s_%d", id, id, n)
		require.Equal(t, 1, told[name], name)
		require.Equal(t, 1, turns[asked[name]], name)
		require.Equal(t, events.TurnCompletedOK, ended[asked[name]], name)
	}
}
