package dialogue_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

// target is what a stranger would like to reach; the same form with nothing
// behind it is what must look alike.
type target struct {
	tenant     string
	session    string
	request    string
	connection string
	trigger    string
	key        string
}

// wall is how an endpoint is asked for something of a target.
type wall struct {
	path func(target) string
	body func(target) string
	// own is what the endpoint does for whoever may ask: there is no target in it,
	// and its answer must tell nothing of anybody's.
	own bool
}

// walls has a row for every operation; the test fails for one without.
func walls() map[string]wall {
	fixed := func(text string) func(target) string { return func(target) string { return text } }
	session := func(rest string) func(target) string {
		return func(of target) string { return "/v1/sessions/" + of.session + rest }
	}
	call := func(rest string) func(target) string {
		return func(of target) string {
			at := events.ToolCallPlace{Session: events.SessionID(of.session), Request: events.RequestID(of.request)}
			return "/v1/tool-calls/" + string(at.ID()) + rest
		}
	}
	trigger := func(rest string) func(target) string {
		return func(of target) string { return "/v1/triggers/" + of.trigger + rest }
	}
	customer := func(rest string) func(target) string {
		return func(of target) string { return "/v1/tenants/" + of.tenant + rest }
	}
	return map[string]wall{
		"create-session":      {path: fixed("/v1/sessions"), body: func(of target) string { return `{"servers":[],"user_id":"` + of.tenant + `"}` }},
		"list-sessions":       {path: func(of target) string { return "/v1/sessions?user_id=" + of.tenant }},
		"get-session":         {path: session("")},
		"close-session":       {path: session("")},
		"close-session-post":  {path: session("/close")},
		"execute":             {path: session("/execute"), body: fixed(`{"tool":"stripe__retrieve_balance","input":{}}`)},
		"proxy-execute":       {path: session("/proxy_execute"), body: fixed(`{"server":"stripe","endpoint":"/v1/balance","method":"GET"}`)},
		"mcp":                 {path: session("/mcp"), body: fixed(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stripe__retrieve_balance"}}`)},
		"send":                {path: session("/send"), body: fixed(`{"message":"What is the balance?"}`)},
		"resume":              {path: func(of target) string { return "/v1/sessions/" + of.session + "/requests/" + of.request + "/events" }},
		"cancel-request":      {path: func(of target) string { return "/v1/sessions/" + of.session + "/requests/" + of.request + "/cancel" }},
		"session-logs":        {path: session("/logs")},
		"session-connections": {path: session("/connections")},
		"create-connection": {path: fixed("/v1/connections"), body: func(of target) string {
			return `{"server_id":"stripe","secret":"sk_test_4242424242424242","user_id":"` + of.tenant + `"}`
		}},
		"list-connections":       {path: func(of target) string { return "/v1/connections?user_id=" + of.tenant }},
		"revoke-connection":      {path: func(of target) string { return "/v1/connections/" + of.connection + "/revoke" }},
		"create-webhook-address": {path: func(of target) string { return "/v1/connections/" + of.connection + "/webhook" }, body: fixed(`{"secret":"whsec_4242424242424242"}`)},
		"rotate-webhook-address": {path: func(of target) string { return "/v1/connections/" + of.connection + "/webhook/rotate" }, body: fixed(`{"secret":"whsec_4242424242424242"}`)},
		"list-servers":           {path: fixed("/v1/servers"), own: true},
		"get-server":             {path: fixed("/v1/servers/stripe"), own: true},
		"list-tools":             {path: fixed("/v1/tools"), own: true},
		"get-tool":               {path: fixed("/v1/tools/stripe__retrieve_balance"), own: true},
		"usage": {path: func(of target) string {
			return "/v1/usage?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z&tenant_id=" + of.tenant
		}},
		"list-invoices": {path: func(of target) string { return "/v1/invoices?tenant_id=" + of.tenant }},
		"get-invoice":   {path: func(of target) string { return "/v1/invoices/INV-tenant_acme-2026-08-test?tenant_id=" + of.tenant }},
		"trace-invoice": {path: func(of target) string {
			return "/v1/invoices/INV-tenant_acme-2026-08-test/trace?tenant_id=" + of.tenant
		}},
		"get-budgets": {path: func(of target) string { return "/v1/budgets?tenant_id=" + of.tenant }},
		"set-budgets": {path: fixed("/v1/budgets"), body: func(of target) string {
			return `{"tenant_id":"` + of.tenant + `","budgets":[]}`
		}},
		"create-key":      {path: fixed("/v1/api-keys"), body: fixed(`{"name":"mine"}`), own: true},
		"list-keys":       {path: fixed("/v1/api-keys"), own: true},
		"revoke-key":      {path: func(of target) string { return "/v1/api-keys/" + of.key }},
		"revoke-key-post": {path: func(of target) string { return "/v1/api-keys/" + of.key + "/revoke" }},
		"whoami":          {path: fixed("/v1/whoami"), own: true},
		"create-tenant":   {path: fixed("/v1/tenants"), body: fixed(`{"id":"tenant_mine","servers":["stripe"]}`), own: true},
		"list-tenants":    {path: fixed("/v1/tenants"), own: true},
		"get-tenant":      {path: customer("")},
		"update-tenant":   {path: customer(""), body: fixed(`{"weight":7}`)},
		"pause-tenant":    {path: customer("/pause")},
		"resume-tenant":   {path: customer("/resume")},
		"delete-tenant":   {path: customer("")},
		"metrics":         {path: fixed("/metrics"), own: true},

		"payment-status":             {path: call("/payment-status")},
		"payment-status-stream":      {path: call("/payment-status/stream")},
		"verification-status":        {path: call("/verification-status")},
		"verification-status-stream": {path: call("/verification-status/stream")},
		"connect-start": {path: fixed("/v1/connect/start"), body: func(of target) string {
			return `{"server_id":"stripe","redirect_uri":"http://127.0.0.1/","user_id":"` + of.tenant + `"}`
		}},

		"create-trigger": {path: fixed("/v1/triggers"), body: func(of target) string {
			return `{"name":"mine","event":"*","webhook_url":"https://mine.example/","user_id":"` + of.tenant + `"}`
		}},
		"list-triggers":           {path: func(of target) string { return "/v1/triggers?user_id=" + of.tenant }},
		"get-trigger":             {path: trigger("")},
		"delete-trigger":          {path: trigger("")},
		"pause-trigger":           {path: trigger("/pause")},
		"resume-trigger":          {path: trigger("/resume")},
		"rotate-trigger-secret":   {path: trigger("/rotate-secret")},
		"test-trigger":            {path: trigger("/test")},
		"list-trigger-deliveries": {path: trigger("/deliveries")},
		"replay-trigger":          {path: trigger("/replay"), body: fixed(`{}`)},
	}
}

// stranger is somebody before a wall.
type stranger struct {
	name   string
	header string // Authorization; empty for none
	status int    // what it hears everywhere; 0: what it hears of what is missing
}

type wallBundle struct {
	*Bed

	victim  target
	missing target
	keys    map[string]string
}

// setupWalls has tenant_acme with something of everything, and everybody who
// would like to have it.
func setupWalls(t *testing.T) *wallBundle {
	t.Helper()
	b := &wallBundle{Bed: Start(t, nil), keys: map[string]string{}}
	all := []access.Scope{access.ScopeAll}
	key := func(name string, params access.MintParams) access.Key {
		if params.Scopes == nil {
			params.Scopes = all
		}
		made, text := b.Key(t, params)
		b.keys[name] = text
		return made
	}
	own := key("own", access.MintParams{Tenant: "tenant_acme"})
	key("loja", access.MintParams{Tenant: "tenant_loja"})
	key("live", access.MintParams{Environment: events.EnvironmentLive})
	key("expired", access.MintParams{Tenant: "tenant_acme", CreatedAt: time.Now().Add(-2 * time.Hour), ExpiresAt: time.Now().Add(-time.Hour)})
	revoked := key("revoked", access.MintParams{Tenant: "tenant_acme"})
	_, found, err := b.Keys.Revoke(t.Context(), revoked.ID, time.Now())
	require.NoError(t, err)
	require.True(t, found)
	for _, scope := range []access.Scope{access.ScopeUsageRead, access.ScopeSessionsRead} {
		key("only "+string(scope), access.MintParams{Tenant: "tenant_acme", Scopes: []access.Scope{scope}})
	}
	b.victim = target{tenant: "tenant_acme", key: string(own.ID)}
	_, err = b.Operator.IssueInvoices(t.Context(), app.InvoiceParams{Tenant: "tenant_acme", Month: "2026-08", Environment: events.EnvironmentTest})
	require.NoError(t, err)
	b.victim.session = b.field(t, b.ask(t, b.keys["own"], "POST", "/v1/sessions", `{"servers":["stripe"]}`), "id")
	answer := b.ask(t, b.keys["own"], "POST", "/v1/sessions/"+b.victim.session+"/execute", `{"tool":"stripe__retrieve_balance","input":{}}`)
	require.Equal(t, http.StatusOK, answer.Status, answer.Body)
	b.victim.request = answer.Header.Get("X-Feira-Request")
	require.Eventually(t, func() bool { // what follows of it has been written
		return strings.Contains(b.ask(t, b.keys["own"], "GET", "/v1/usage", "").Body, `"total":1`)
	}, time.Minute, 20*time.Millisecond)
	var listed struct {
		Connections []struct{ ID string }
	}
	require.NoError(t, json.Unmarshal([]byte(b.ask(t, b.keys["own"], "GET", "/v1/connections?server_id=stripe", "").Body), &listed))
	require.Len(t, listed.Connections, 1)
	b.victim.connection = listed.Connections[0].ID
	made := b.ask(t, b.keys["own"], "POST", "/v1/triggers", `{"name":"victim","event":"nothing.happens","webhook_url":"https://127.0.0.1/"}`)
	b.victim.trigger = b.field(t, made, "id")
	b.missing = target{
		trigger: string(events.NewTrigger("tenant_acme", [10]byte{1})),
		tenant:  "tenant_ghost", request: "req_00000000000000000000000000", key: "key_00000000000000000000",
		session:    string(events.NewSession("tenant_acme", [10]byte{1})),
		connection: b.victim.connection[:len(b.victim.connection)-8] + "aaaaaaaa",
	}
	return b
}

func (b *wallBundle) ask(t *testing.T, key, method, path, body string) *Answer {
	t.Helper()
	if key != "" {
		key = "Bearer " + key
	}
	return b.tell(t, key, method, path, body)
}

func (b *wallBundle) tell(t *testing.T, authorization, method, path, body string) *Answer {
	t.Helper()
	text := method + " " + path + "\nContent-Type: application/json\n"
	if authorization != "" {
		text += "Authorization: " + authorization + "\n"
	}
	answer, err := Exchange(t.Context(), b.Address, text+"\n"+body)
	require.NoError(t, err)
	return answer
}

func (b *wallBundle) field(t *testing.T, answer *Answer, name string) string {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(answer.Body), &body), answer.Body)
	text, _ := body[name].(string)
	require.NotEmpty(t, text, "%s of %s", name, answer.Body)
	return text
}

// written is what lies in the broker, without what is written of itself.
func (b *wallBundle) written(t *testing.T) map[string]uint64 {
	t.Helper()
	last := testenv.Written(t, b.Dev.NATS)
	for _, bucket := range []string{events.BucketLeases, events.BucketSpend, events.BucketKeys, events.BucketRates, events.BucketObjects, events.BucketCursors} {
		delete(last, "KV_"+bucket)
	}
	return last
}

var exchangeID = regexp.MustCompile(`"request_id":"[^"]*"`)

// heard is what a client can tell answers apart by.
func heard(answer *Answer) string {
	header := maps.Clone(answer.Header)
	for _, name := range []string{"X-Request-Id", "Date", "Ratelimit-Remaining", "Ratelimit-Reset"} {
		delete(header, name)
	}
	out := http.StatusText(answer.Status) + "\n"
	for _, name := range slices.Sorted(maps.Keys(header)) {
		out += name + ": " + strings.Join(header[name], ", ") + "\n"
	}
	return out + exchangeID.ReplaceAllString(answer.Body, "")
}

// Whoever may not have something hears what who asks for nothing hears, and
// nothing happens: every endpoint before everybody.
func TestWalls(t *testing.T) {
	t.Parallel()
	b := setupWalls(t)
	document := fetchDocument(t, b.Address)
	rows := walls()
	before := b.written(t)
	var covered []string
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for method, operation := range document.Paths[path] {
			if len(operation.Security) == 0 {
				continue
			}
			row, ok := rows[operation.ID]
			if !ok {
				t.Errorf("%s has no row: how might a stranger reach what is another's by it?", operation.ID)
				continue
			}
			covered = append(covered, operation.ID)
			if row.body == nil {
				row.body = func(target) string { return "" }
			}
			scope := access.Scope(operation.Security[0]["key"][0])
			for _, who := range b.strangers(scope) {
				b.stand(t, operation.ID, strings.ToUpper(method), row, who)
			}
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(rows)), covered, "rows that are of no operation")
	require.Equal(t, before, b.written(t), "something was written for a stranger")
	answer := b.ask(t, b.keys["own"], "GET", "/v1/sessions/"+b.victim.session, "")
	require.Equal(t, http.StatusOK, answer.Status, answer.Body)
	require.Contains(t, answer.Body, `"status":"active"`)
}

func (b *wallBundle) strangers(scope access.Scope) []stranger {
	const no, lacking = http.StatusUnauthorized, http.StatusForbidden
	other := access.ScopeUsageRead
	if scope == other {
		other = access.ScopeSessionsRead
	}
	bearer := func(name string) string { return "Bearer " + b.keys[name] }
	good := b.keys["own"]
	return []stranger{
		{"nobody", "", no},
		{"another scheme", "Basic " + good, no},
		{"a malformed key", "Bearer csk_test_x", no},
		{"a mistyped key", "Bearer " + mistyped(good), no},
		{"another environment's prefix", "Bearer " + strings.Replace(good, "csk_test_", "csk_live_", 1), no},
		{"a key that nobody made", "Bearer " + stray(good), no},
		{"a revoked key", bearer("revoked"), no},
		{"an expired key", bearer("expired"), no},
		{"a key without the scope", bearer("only " + string(other)), lacking},
		{"another tenant's key", bearer("loja"), 0},
		{"another environment's key", bearer("live"), 0},
	}
}

// mistyped is a key's text with another last digit.
func mistyped(key string) string {
	last := "0"
	if strings.HasSuffix(key, last) {
		last = "1"
	}
	return key[:len(key)-1] + last
}

// stray is a key's text with two letters in each other's place.
func stray(key string) string {
	text := []byte(key)
	for i := len(text) - 12; i > 12; i-- {
		if text[i] != text[i-1] {
			text[i], text[i-1] = text[i-1], text[i]
			break
		}
	}
	return string(text)
}

func (b *wallBundle) stand(t *testing.T, id, method string, row wall, who stranger) {
	t.Helper()
	if row.own && who.status == 0 {
		if method == http.MethodGet {
			answer := b.tell(t, who.header, method, row.path(b.victim), "")
			for _, secret := range []string{b.victim.session, b.victim.connection, b.victim.trigger, b.victim.key, b.keys["own"], `"tenant_acme"`} {
				require.NotContains(t, answer.Body, secret, "%s tells %s", id, who.name)
			}
		}
		return
	}
	real := b.tell(t, who.header, method, row.path(b.victim), row.body(b.victim))
	none := b.tell(t, who.header, method, row.path(b.missing), row.body(b.missing))
	require.Equal(t, heard(none), heard(real), "%s tells %s what is there", id, who.name)
	want := who.status
	if want == 0 {
		want = http.StatusNotFound
	}
	platformOnly := real.Status == http.StatusForbidden && strings.Contains(real.Body, string(access.ScopeTenantsWrite))
	nothing := id == "usage" && real.Status == http.StatusOK && strings.Contains(real.Body, `"tool_calls":[]`)
	require.True(t, real.Status == want || who.status == 0 && (platformOnly || nothing), "%s to %s: %d %s", id, who.name, real.Status, real.Body)
}

// A test key reaches nothing live, however it is asked.
func TestTestKeysReachNothingLive(t *testing.T) {
	t.Parallel()
	b := setupWalls(t)
	b.Tenants(t, tenant.Tenant{ID: "tenant_live", Servers: []string{"stripe"}, Environment: events.EnvironmentLive})
	own := b.ask(t, b.keys["live"], "POST", "/v1/sessions", `{"servers":["stripe"],"user_id":"tenant_live"}`)
	require.Equal(t, http.StatusCreated, own.Status, own.Body)
	victim := b.victim
	victim.tenant, victim.session = "tenant_live", b.field(t, own, "id")
	made := b.ask(t, b.keys["live"], "POST", "/v1/triggers", `{"name":"live","event":"nothing.happens","webhook_url":"https://127.0.0.1/","user_id":"tenant_live"}`)
	victim.trigger = b.field(t, made, "id")
	missing := b.missing
	missing.session = string(events.NewSession("tenant_live", [10]byte{1}))
	missing.trigger = string(events.NewTrigger("tenant_live", [10]byte{1}))
	before := b.written(t)
	document := fetchDocument(t, b.Address)
	for _, methods := range document.Paths {
		for method, operation := range methods {
			row, ok := walls()[operation.ID]
			if !ok || row.own || row.path(victim) == row.path(b.victim) && row.body == nil {
				continue
			}
			if row.body == nil {
				row.body = func(target) string { return "" }
			}
			if row.path(victim) == row.path(b.victim) && row.body(victim) == row.body(b.victim) {
				continue
			}
			of := wallBundle{Bed: b.Bed, victim: victim, missing: missing, keys: b.keys}
			of.stand(t, operation.ID, strings.ToUpper(method), row, stranger{name: "a test key", header: "Bearer " + b.Dev.Key})
		}
	}
	require.Equal(t, before, b.written(t), "something was written for a test key")
}
