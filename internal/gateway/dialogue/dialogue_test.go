package dialogue_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/tenant"
)

var update = flag.Bool("update", false, "write the answers that come into the dialogues")

// beds are what Feira a folder of dialogues is told to.
func beds(model string) map[string]func(*config.Config) {
	return map[string]func(*config.Config){
		"plain": nil,
		// It is in test mode.
		"mocked": func(c *config.Config) { c.TestMode = true },
		// It waits for nothing.
		"impatient": func(c *config.Config) { c.Gateway.Wait = time.Millisecond },
		// Its model takes no key, and Z-API is not there.
		"dumb": func(c *config.Config) {
			c.Model.Key, c.Model.BaseURL = "sk-none", model
			c.Provider.URLs = map[string]string{"z-api": "http://127.0.0.1:1"}
		},
		// It takes in tenants that nobody has registered.
		"welcoming": func(c *config.Config) { c.Gateway.Newcomers = true },
	}
}

// The dialogues show every endpoint with every status that its document names,
// byte for byte in what clients read.
func TestDialogues(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	folders := map[string][]string{}
	for _, path := range scripts {
		folder := filepath.Base(filepath.Dir(path))
		folders[folder] = append(folders[folder], path)
	}
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusUnauthorized) }))
	t.Cleanup(model.Close)
	require.Equal(t, slices.Sorted(maps.Keys(beds(""))), slices.Sorted(maps.Keys(folders)))
	seen := map[string]bool{}
	var document openAPI
	for folder, change := range beds(model.URL) {
		b := Start(t, change)
		b.Tenants(t, tenant.Tenant{ID: "tenant_live", Servers: []string{"stripe", "correios"}, Environment: events.EnvironmentLive})
		_, err := b.Operator.Register(t.Context(), "melhor-envio", events.EnvironmentTest, `{"client_id":"saas-app","client_secret":"secret-of-the-app-`+sandbox.Mark+`"}`)
		require.NoError(t, err)
		_, err = b.Operator.IssueInvoices(t.Context(), app.InvoiceParams{Tenant: "tenant_acme", Month: "2026-08", Environment: events.EnvironmentTest})
		require.NoError(t, err)
		document = fetchDocument(t, b.Address)
		court := newCourt(t, b.Address)
		known := map[string]string{"platform": b.Dev.Key, "live": b.Platform(t, events.EnvironmentLive)}
		_, known["acme"] = b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: []access.Scope{access.ScopeAll}})
		_, known["reader"] = b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: []access.Scope{access.ScopeSessionsRead}})
		for _, path := range folders[folder] {
			for _, turn := range play(t, b, path, known) {
				method, target, _ := strings.Cut(turn.Request, " ")
				target, _, _ = strings.Cut(target, "\n")
				if id, found := document.operation(method, target); found {
					seen[fmt.Sprintf("%s %d", id, turn.Answer.Status)] = true
					for _, fault := range court.faults(t, turn) {
						t.Errorf("%s: %s: the document does not say so: %s", path, turn.Name, fault)
					}
				}
			}
		}
	}
	for _, missing := range document.unseen(seen) {
		t.Errorf("no dialogue shows %s", missing)
	}
}

func play(t *testing.T, b *Bed, path string, known map[string]string) []Turn {
	t.Helper()
	script, err := Open(path)
	require.NoError(t, err)
	turns, err := script.Play(t.Context(), b.Address, NewMask(known))
	if *update {
		require.NoError(t, script.Rewrite(turns))
	}
	require.NoError(t, err)
	if *update {
		return turns
	}
	for _, turn := range turns {
		if diff := cmp.Diff(turn.Want, turn.Have); diff != "" {
			t.Errorf("%s: %s (-want +have; -update writes it):\n%s", path, turn.Name, diff)
		}
	}
	return turns
}

// openAPI is the part of the document that tests are generated from.
type openAPI struct {
	Paths map[string]map[string]struct {
		ID         string                     `json:"operationId"`
		Responses  map[string]json.RawMessage `json:"responses"`
		Security   []map[string][]string      `json:"security"`
		Parameters json.RawMessage            `json:"parameters"`
	} `json:"paths"`
}

func fetchDocument(t *testing.T, address string) openAPI {
	t.Helper()
	answer, err := Exchange(t.Context(), address, "GET /openapi.json")
	require.NoError(t, err)
	var document openAPI
	require.NoError(t, json.Unmarshal([]byte(answer.Body), &document))
	require.NotEmpty(t, document.Paths)
	return document
}

var parameter = regexp.MustCompile(`\\\{[a-z]+\\\}`)

// operation finds what a request is for.
func (d openAPI) operation(method, target string) (string, bool) {
	path, _, _ := strings.Cut(target, "?")
	for template, methods := range d.Paths {
		pattern := "^" + parameter.ReplaceAllString(regexp.QuoteMeta(template), "[^/]+") + "$"
		if operation, ok := methods[strings.ToLower(method)]; ok && regexp.MustCompile(pattern).MatchString(path) {
			if template == path || !d.literal(path) {
				return operation.ID, true
			}
		}
	}
	return "", false
}

func (d openAPI) literal(path string) bool {
	_, ok := d.Paths[path]
	return ok
}

// shownElsewhere are statuses that every endpoint has for the same reason, with
// the test that shows them for each.
func shownElsewhere() map[int]string {
	return map[int]string{
		400: "TestEveryEndpointRefusesAlike", 413: "TestEveryEndpointRefusesAlike", 415: "TestEveryEndpointRefusesAlike",
		408: "TestSlowClientsAreCut", 401: "TestWalls", 403: "TestWalls", 429: "TestRateOfEveryEndpoint", 500: "TestPanicEndsWithItsRequest",
		// What acts takes an Idempotency-Key.
		409: "TestKeyIsMadeOnceUnderAnIdempotencyKey",
		// The broker is away: no script can take it away.
		503: "TestBrokerAway",
	}
}

func (d openAPI) unseen(seen map[string]bool) []string {
	seen["metrics 200"] = true // TestAnswersCarryTheirGuards: they are never the same
	var missing []string
	for _, methods := range d.Paths {
		for _, operation := range methods {
			for status := range operation.Responses {
				code, err := strconv.Atoi(status)
				if shown := fmt.Sprintf("%s %s", operation.ID, status); err != nil || shownElsewhere()[code] == "" && !seen[shown] {
					missing = append(missing, shown)
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}
