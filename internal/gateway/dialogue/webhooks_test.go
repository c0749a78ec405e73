package dialogue_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/webhook"
)

// post is a connection of a tenant's with an address, and how its provider signs.
type post struct {
	tenant, server, connection string
	path                       string
	lock                       webhook.Lock
}

// hooked gives a tenant credentials and an address for each of the servers.
func hooked(t *testing.T, b *Bed, id tenant.ID, servers ...string) []post {
	t.Helper()
	credentials := map[string]string{
		"asaas": "$aact_hmlg_4242424242424242", "stripe": "sk_test_4242424242424242", "melhor-envio": "eyJ0eXAiOiJKV1QifQ.e30.c2FuZGJveA",
		"z-api": `{"instance_id":"3C01","token":"4242424242424242","client_token":"F4242424242424242"}`,
	}
	var posts []post
	for _, server := range servers {
		_, err := b.Operator.SetCredential(t.Context(), id, server, app.CredentialParams{Text: credentials[server]})
		require.NoError(t, err, server)
		body := b.fetch(t, http.MethodGet, "/v1/connections?server_id="+server+"&user_id="+string(id), "")
		connection := body["connections"].([]any)[0].(map[string]any)["id"].(string)
		asked := "{}"
		if webhook.SchemeOf(server).Given() {
			asked = `{"secret":"whsec_4242424242424242-` + string(id) + `"}`
		}
		made := b.fetch(t, http.MethodPost, "/v1/connections/"+connection+"/webhook", asked)
		secret, _ := made["secret"].(string)
		if secret == "" {
			secret = "whsec_4242424242424242-" + string(id)
		}
		path := made["path"].(string)
		if server == "z-api" {
			path += "." + secret
		}
		posts = append(posts, post{
			tenant: string(id), server: server, connection: connection, path: path,
			lock: webhook.Lock{Scheme: webhook.Scheme(made["scheme"].(string)), Keys: []webhook.Key{{Text: secret}}},
		})
	}
	return posts
}

// fetch asks the gateway as the platform, and reads a good answer.
func (b *Bed) fetch(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.Address+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.Dev.Key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	var read map[string]any
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&read))
	require.Less(t, answer.StatusCode, 300, "%s: %v", path, read)
	return read
}

// send sends what the provider would, and returns the status and the answer but
// for the exchange's name.
func (p post) send(t *testing.T, address, path string, header map[string]string, body []byte) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+path, bytes.NewReader(body))
	require.NoError(t, err)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, exchangeID.ReplaceAllString(string(text), "")
}

// event is an event of the provider's about something with an id.
func (p post) event(id string) []byte {
	switch p.server {
	case "stripe":
		return []byte(`{"id":"` + id + `","type":"payment_intent.succeeded","data":{"object":{"id":"pi_` + id + `","status":"succeeded"}}}`)
	case "melhor-envio":
		return []byte(`{"event":"order.posted","data":{"id":"` + id + `","status":"posted"}}`)
	case "z-api":
		return []byte(`{"type":"ReceivedCallback","messageId":"` + id + `","phone":"5511999990000","text":{"message":"oi"}}`)
	default:
		return []byte(`{"id":"` + id + `","event":"PAYMENT_RECEIVED","payment":{"id":"pay_` + id + `","status":"RECEIVED"}}`)
	}
}

// Each provider before the door, as it should be and as it should not; and what
// became of it behind the door.
func TestWebhooksByProvider(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	servers := []string{"asaas", "stripe", "melhor-envio", "z-api"}
	b.Tenants(t, tenant.Tenant{ID: "tenant_um", Servers: servers}, tenant.Tenant{ID: "tenant_dois", Servers: servers})
	others := hooked(t, b, "tenant_dois", servers...)
	total := 0
	for i, p := range hooked(t, b, "tenant_um", servers...) {
		now, other := time.Now(), others[i]
		timed := p.lock.Scheme == webhook.SchemeStripe
		signs := p.lock.Scheme != webhook.SchemeToken && p.lock.Scheme != webhook.SchemePath
		sign := func(body []byte, at time.Time) map[string]string { return webhook.Sign(p.lock, "", body, at) }
		refused := func(name, path string, header map[string]string, body []byte) {
			status, text := p.send(t, b.Address, path, header, body)
			require.Equal(t, http.StatusNotFound, status, "%s %s", p.server, name)
			require.Contains(t, text, "there is no such address, or this was not sent by whom it is for", "%s %s", p.server, name)
		}
		taken := func(name string, body []byte, at time.Time) {
			status, text := p.send(t, b.Address, p.path, sign(body, at), body)
			require.Equal(t, http.StatusOK, status, "%s %s: %s", p.server, name, text)
		}
		body := p.event("valid")
		taken("valid", body, now)
		taken("doubled", body, now)
		taken("not JSON", []byte("not JSON"), now)
		taken("empty object", []byte("{}"), now)
		total += 2
		refused("other tenant's connection", strings.Replace(p.path, p.connection, other.connection, 1), sign(body, now), body) // with this one's key
		refused("unknown connection", strings.Replace(p.path, p.connection, p.connection[:len(p.connection)-8]+"aaaaaaaa", 1), sign(body, now), body)
		if timed {
			refused("old timestamp", p.path, sign(body, now.Add(-6*time.Minute)), body)
		}
		if signs {
			refused("altered body", p.path, sign(body, now), p.event("altered"))
		}
		if p.lock.Scheme == webhook.SchemePath {
			refused("wrong secret", p.path+"x", nil, body)
			refused("no secret", "/v1/webhooks/z-api/"+p.connection, nil, body)
		} else {
			wrong := p
			wrong.lock.Keys = []webhook.Key{{Text: "whsec_not-the-secret-at-all"}}
			refused("wrong secret", p.path, webhook.Sign(wrong.lock, "", body, now), body)
			refused("unsigned", p.path, nil, body)
		}
		huge := append(p.event("huge"), bytes.Repeat([]byte(" "), events.MaxWebhookBytes)...)
		status, _ := p.send(t, b.Address, p.path, sign(huge, now), huge)
		require.Equal(t, http.StatusRequestEntityTooLarge, status, p.server)
		asked := "{}"
		if p.lock.Scheme.Given() {
			asked = `{"secret":"whsec_a-second-secret-4242"}`
		}
		rotated := b.fetch(t, http.MethodPost, "/v1/connections/"+p.connection+"/webhook/rotate", asked)
		taken("old secret of two", p.event("old"), now)
		fresh := p
		fresh.path, fresh.lock.Keys = rotated["path"].(string), []webhook.Key{{Text: "whsec_a-second-secret-4242"}}
		if secret, ok := rotated["secret"].(string); ok {
			fresh.lock.Keys[0].Text = secret
		}
		if p.lock.Scheme == webhook.SchemePath {
			fresh.path += "." + fresh.lock.Keys[0].Text
		}
		body = p.event("new")
		status, text := p.send(t, b.Address, fresh.path, webhook.Sign(fresh.lock, "", body, now), body)
		require.Equal(t, http.StatusOK, status, "%s: %s", p.server, text)
		total += 2
		require.Eventually(t, func() bool {
			log, err := b.Broker.Log().Load(t.Context(), "tenant_um", events.InboxSession("tenant_um", p.connection))
			require.NoError(t, err)
			return len(log) == 1+4 // its opening, and each event once
		}, 30*time.Second, 20*time.Millisecond, "%s: what was taken in is told once", p.server)
	}
	letters, err := b.Broker.Dead().List(t.Context(), "tenant_um")
	require.NoError(t, err)
	require.Len(t, letters, len(servers), "what is no JSON is a dead letter of each")
	log, err := b.Broker.Log().Sessions(t.Context(), "tenant_dois")
	require.NoError(t, err)
	require.Empty(t, log)
	require.Equal(t, 4*len(servers), total)
}

// An address that is not there is refused no faster and no slower than one that
// is, and what is taken in is taken in at once.
func TestWebhooksTellNothingByTime(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	b.Tenants(t, tenant.Tenant{ID: "tenant_um", Servers: []string{"asaas"}})
	p := hooked(t, b, "tenant_um", "asaas")[0]
	body := p.event("one")
	const rounds = 60
	times := map[string][]time.Duration{}
	for range rounds {
		for name, path := range map[string]string{"there": p.path, "nowhere": "/v1/webhooks/asaas/ca_" + strings.Repeat("a", 24)} {
			began := time.Now()
			status, _ := p.send(t, b.Address, path, map[string]string{"Asaas-Access-Token": "whsec_of-nobody"}, body)
			times[name] = append(times[name], time.Since(began))
			require.Equal(t, http.StatusNotFound, status)
		}
		began := time.Now()
		status, _ := p.send(t, b.Address, p.path, webhook.Sign(p.lock, "", body, began), body)
		times["taken"] = append(times["taken"], time.Since(began))
		require.Equal(t, http.StatusOK, status)
	}
	middle := map[string]time.Duration{}
	for name, all := range times {
		slices.Sort(all)
		middle[name] = all[rounds/2]
	}
	require.GreaterOrEqual(t, min(times["there"][0], times["nowhere"][0]), 20*time.Millisecond, "none is refused before its time")
	require.InDelta(t, middle["there"].Seconds(), middle["nowhere"].Seconds(), 0.010)
	t.Logf("taken in: median %s, slowest of %d %s; refused: median %s", middle["taken"], rounds, times["taken"][rounds-1], middle["there"])
	require.Less(t, middle["taken"], 50*time.Millisecond)
}

// While the broker is away nothing is taken in; what the provider sends again
// afterwards is.
func TestWebhooksWaitForTheBroker(t *testing.T) {
	t.Parallel()
	b, server := startAlone(t, tenant.Tenant{ID: "tenant_um", Servers: []string{"asaas"}})
	p := hooked(t, b, "tenant_um", "asaas")[0]
	send := func() int {
		status, _ := p.send(t, b.Address, p.path, webhook.Sign(p.lock, "", p.event("one"), time.Now()), p.event("one"))
		return status
	}
	require.Equal(t, http.StatusOK, send())
	server.Stop(t)
	require.Equal(t, http.StatusServiceUnavailable, send(), "the address is remembered, the broker is not there")
	server.Start(t)
	require.Eventually(t, func() bool { return send() == http.StatusOK }, 30*time.Second, 50*time.Millisecond)
	stored := testenv.Written(t, server.URL)
	require.GreaterOrEqual(t, stored[events.StreamWebhooks], uint64(2))
}

// What the command line simulates is taken in as the provider's own would be.
func TestSimulatedWebhooksAreTakenIn(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	kinds := map[string]string{"asaas": "PAYMENT_RECEIVED", "stripe": "payment_intent.succeeded", "melhor-envio": "order.posted", "z-api": "ReceivedCallback", "correios": "x"}
	b.Tenants(t, tenant.Tenant{ID: "tenant_um", Servers: slices.Sorted(maps.Keys(kinds))})
	for server, kind := range kinds {
		sent, err := b.Operator.Simulate(t.Context(), app.SimulateParams{Tenant: "tenant_um", Server: server, Gateway: b.Dev.HTTP, Kind: kind, Object: "thing_1", ID: "evt_1"})
		require.NoError(t, err, server)
		require.Eventually(t, func() bool {
			log, err := b.Broker.Log().Load(t.Context(), "tenant_um", events.InboxSession("tenant_um", sent.Connection))
			require.NoError(t, err)
			return len(log) == 2
		}, 30*time.Second, 20*time.Millisecond, server)
	}
	b.Tenants(t, tenant.Tenant{ID: "tenant_live", Servers: []string{"stripe"}, Environment: events.EnvironmentLive})
	_, err := b.Operator.Simulate(t.Context(), app.SimulateParams{Tenant: "tenant_live", Server: "stripe", Gateway: b.Dev.HTTP, Kind: "payment_intent.succeeded"})
	require.ErrorIs(t, err, app.ErrNotSimulated)
}
