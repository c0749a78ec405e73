package dialogue_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/tenant"
)

// fuzzed is an endpoint that is asked for nonsense.
type fuzzed struct {
	method   string
	template string
	example  string // its path
	body     string
}

// ground is a gateway for nonsense, with every endpoint of its document in an
// order that stays, so that an input that was found means the same again.
type ground struct {
	*Bed

	endpoints []fuzzed
}

func setupGround(f *testing.F) *ground {
	f.Helper()
	// Nothing is waited for long: the fuzzer takes 10 s without an answer for a hang,
	// and a length of a body that does not come is soon found.
	g := &ground{Bed: Start(f, func(c *config.Config) {
		c.Gateway.Wait, c.Gateway.ClientTime, c.Gateway.APIRate, c.TestMode = time.Millisecond, time.Second, tenant.MaxRate, true
	})}
	answer, err := Exchange(f.Context(), g.Address, "GET /openapi.json")
	if err != nil {
		f.Fatal(err)
	}
	var document openAPI
	if err := json.Unmarshal([]byte(answer.Body), &document); err != nil {
		f.Fatal(err)
	}
	session, err := Exchange(f.Context(), g.Address,
		"POST /v1/sessions\nAuthorization: Bearer "+g.Dev.Key+"\n\n"+`{"servers":["stripe"],"user_id":"tenant_acme"}`)
	if err != nil {
		f.Fatal(err)
	}
	var opened struct{ ID string }
	if err := json.Unmarshal([]byte(session.Body), &opened); err != nil || opened.ID == "" {
		f.Fatal(session.Body)
	}
	of := target{tenant: "tenant_ghost", session: opened.ID, request: "req_0", connection: "ca_0", key: "key_0"}
	rows := walls()
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(document.Paths[path])) {
			if strings.HasSuffix(path, "/mcp") && method == "get" {
				continue // a stream that ends when its client does
			}
			made := fuzzed{method: strings.ToUpper(method), template: path, example: path}
			if row, found := rows[document.Paths[path][method].ID]; found {
				made.example = row.path(of)
				if row.body != nil {
					made.body = row.body(of)
				}
			}
			g.endpoints = append(g.endpoints, made)
		}
	}
	return g
}

func (g *ground) pick(n uint8) fuzzed { return g.endpoints[int(n)%len(g.endpoints)] }

// tell sends a request as it stands, and holds the answer to what all answers
// are: given, no fault of the gateway's own, and an error one that clients read.
func (g *ground) tell(t *testing.T, request string) {
	t.Helper()
	answer, err := Exchange(t.Context(), g.Address, request)
	if err != nil {
		t.Fatalf("no answer to %q: %v", request, err)
	}
	if answer.Status == http.StatusInternalServerError {
		t.Fatalf("%q: %s", request, answer.Body)
	}
	if answer.Status < http.StatusBadRequest || answer.Header.Get("Content-Type") != "application/json" {
		return // what net/http refuses has text, and is not ours
	}
	var told throttled
	if err := json.Unmarshal([]byte(answer.Body), &told); err != nil || told.Code == "" || told.Code != told.Error {
		t.Fatalf("%q: %d is no error that clients read: %s", request, answer.Status, answer.Body)
	}
}

func (g *ground) head(method, path, headers string) string {
	return method + " " + path + "\nAuthorization: Bearer " + g.Dev.Key + "\n" + headers
}

// Any bytes may come as a body, of any endpoint.
func FuzzBodies(f *testing.F) {
	g := setupGround(f)
	for n, endpoint := range g.endpoints {
		f.Add(uint8(n), []byte(endpoint.body))
	}
	for n, text := range []string{
		``, `null`, `[]`, `"x"`, `0`, `{`, `{"a":`, "\xff\xfe", `{"servers":null,"user_id":null,"mocks":{}}`, `{"servers":["\u0000"],"user_id":"tenant_acme"}`,
		`{"message":"\ud800"}`, `{"tool":"stripe__retrieve_balance","input":[]}`, `{"id":"tenant_x","servers":["stripe"],"concurrency":1e9}`,
		`{"secret":{"a":1},"server_id":"stripe","user_id":"tenant_acme"}`, `{"name":"x","scopes":["*","*"],"expires_at":"0001-01-01T00:00:00Z"}`,
		`{"budgets":[{}],"mcp":[{}],"routes":{"charge":""}}`, strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200),
	} {
		for at := range g.endpoints {
			if g.endpoints[at].body != "" && (at+n)%4 == 0 {
				f.Add(uint8(at), []byte(text))
			}
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		at := g.pick(n)
		length := "Content-Type: application/json\nContent-Length: " + strconv.Itoa(len(strings.TrimSuffix(string(body), "\n"))) + "\n"
		g.tell(t, g.head(at.method, at.example, length)+"\n"+string(body))
	})
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// Anything may stand where an id stands, and after the question mark.
func FuzzPaths(f *testing.F) {
	g := setupGround(f)
	for n := range g.endpoints {
		ids := []string{"ses_0", "tenant_ghost", "..", "%", "a/b", "\x00", "ca_aaaaaaaaaaaaaaaa", "key_00000000000000000000", strings.Repeat("x", 300), "ü", "*", ">", "a.b"}
		f.Add(uint8(n), ids[n%len(ids)], "limit=1&before=0&status=active")
		f.Add(uint8(n), "ses_0", "limit=-1&from=x&to=2026-01-01T00:00:00Z&cursor=%00&user_id=*&tenant_id=>&before=99999999999999999999")
	}
	f.Fuzz(func(t *testing.T, n uint8, id, query string) {
		at := g.pick(n)
		path := placeholder.ReplaceAllLiteralString(at.template, url.PathEscape(id))
		values, err := url.ParseQuery(query)
		if err == nil {
			query = values.Encode()
		} else {
			query = url.QueryEscape(query)
		}
		g.tell(t, g.head(at.method, path+"?"+query, "Content-Type: application/json\n")+"\n"+at.body)
	})
}

// Anything may stand in a header that is looked at.
func FuzzHeaders(f *testing.F) {
	g := setupGround(f)
	names := []string{
		"Authorization", "Idempotency-Key", "Last-Event-ID", "Accept", "Content-Type", "X-Feira-Tenant", "X-Codespar-Project", "X-Request-Id", "Traceparent",
		"Content-Length", "Transfer-Encoding", "Expect", "Content-Encoding", "Origin", "Mcp-Session-Id",
	}
	values := []string{"", "x", "csk_test_x", "\xff", "text/event-stream", "-1", "1.1", "*", strings.Repeat("x", 300)}
	// Each endpoint with two of the headers, each header with each value: all of
	// them together would be the whole of a short run before it alters anything.
	for n := range g.endpoints {
		f.Add(uint8(n), uint8(n%len(names)), values[n%len(values)])
		f.Add(uint8(n), uint8((n+n/len(names)+1)%len(names)), values[(n+1)%len(values)])
	}
	for name := range names {
		for n, value := range values {
			f.Add(uint8(name*len(values)+n), uint8(name), value)
		}
	}
	f.Fuzz(func(t *testing.T, n, name uint8, value string) {
		at := g.pick(n)
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
		header := names[int(name)%len(names)]
		if header == "Content-Length" || header == "Transfer-Encoding" || header == "Expect" {
			at.body = "" // or it would wait for what does not come
		}
		request := at.method + " " + at.example + "\n"
		if header != "Authorization" {
			request = g.head(at.method, at.example, "")
		}
		g.tell(t, request+header+": "+value+"\n\n"+at.body)
	})
}
