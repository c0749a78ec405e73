package dialogue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/tenant"
)

// throttled is the body of a refusal for want of room.
type throttled struct {
	Error      string `json:"error"`
	Code       string `json:"code"`
	Limit      int    `json:"limit"`
	Remaining  *int   `json:"remaining"`
	Reset      int    `json:"reset"`
	RetryAfter int    `json:"retry_after"`
	Depth      *int   `json:"depth"`
}

func readThrottled(t *testing.T, answer *Answer) throttled {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, answer.Status, answer.Body)
	var body throttled
	require.NoError(t, json.Unmarshal([]byte(answer.Body), &body))
	require.Equal(t, body.Code, body.Error)
	require.Equal(t, strconv.Itoa(body.RetryAfter), answer.Header.Get("Retry-After"))
	require.Positive(t, body.RetryAfter)
	return body
}

// A tenant that has used its minute up hears so of every endpoint that is for
// tenants, before anything else is done; whoever runs the platform does not.
func TestRateOfEveryEndpoint(t *testing.T) {
	t.Parallel()
	b := &wallBundle{Bed: Start(t, nil), keys: map[string]string{}}
	b.Tenants(t, tenant.Tenant{ID: "tenant_slow", Servers: []string{"stripe"}, APIRate: 1})
	_, b.keys["own"] = b.Key(t, access.MintParams{Tenant: "tenant_slow", Scopes: []access.Scope{access.ScopeAll}})
	first := b.ask(t, b.keys["own"], "GET", "/v1/whoami", "")
	require.Equal(t, http.StatusOK, first.Status, first.Body)
	require.Equal(t, "1", first.Header.Get("RateLimit-Limit"))
	require.Equal(t, "0", first.Header.Get("RateLimit-Remaining"))
	require.Equal(t, "60", first.Header.Get("RateLimit-Reset"))
	rows := walls()
	of := target{tenant: "tenant_slow", session: "ses_0", request: "req_0", connection: "ca_0", trigger: "trg_0", key: "key_0"}
	for _, methods := range fetchDocument(t, b.Address).Paths {
		for method, operation := range methods {
			row, walled := rows[operation.ID]
			if !walled {
				continue
			}
			body := ""
			if row.body != nil {
				body = row.body(of)
			}
			answer := b.ask(t, b.keys["own"], strings.ToUpper(method), row.path(of), body)
			if _, throttles := operation.Responses["429"]; !throttles {
				require.Equal(t, http.StatusForbidden, answer.Status, "%s is a platform's: %s", operation.ID, answer.Body)
				continue
			}
			if answer.Status != http.StatusTooManyRequests { // a minute has passed
				answer = b.ask(t, b.keys["own"], strings.ToUpper(method), row.path(of), body)
			}
			told := readThrottled(t, answer)
			require.Equal(t, "rate_limited", told.Code, operation.ID)
			require.Equal(t, 1, told.Limit)
			require.Zero(t, *told.Remaining)
			require.Equal(t, strconv.Itoa(told.Reset), answer.Header.Get("RateLimit-Reset"))
		}
	}
	told := readThrottled(t, b.ask(t, b.Dev.Key, "POST", "/v1/sessions", `{"servers":[],"user_id":"tenant_slow"}`))
	require.Equal(t, "rate_limited", told.Code, "a platform's key spends the tenant's")
	free := b.ask(t, b.Dev.Key, "GET", "/v1/whoami", "")
	require.Equal(t, http.StatusOK, free.Status, free.Body)
	require.Empty(t, free.Header.Get("RateLimit-Limit"))
	paused := b.ask(t, b.Dev.Key, "POST", "/v1/tenants/tenant_slow/pause", "")
	require.Equal(t, http.StatusOK, paused.Status, paused.Body)
	raised := b.ask(t, b.Dev.Key, "PATCH", "/v1/tenants/tenant_slow", `{"api_rate":1000}`)
	require.Equal(t, http.StatusOK, raised.Status, raised.Body)
	require.Eventually(t, func() bool {
		return b.ask(t, b.keys["own"], "GET", "/v1/whoami", "").Header.Get("RateLimit-Limit") == "1000"
	}, patience, 20*time.Millisecond, "a new limit is obeyed as soon as the gateway hears of it")
}

// What two gateways let through together is one tenant's limit, and another
// tenant does not feel it.
func TestGatewaysShareALimit(t *testing.T) {
	t.Parallel()
	const rate = 40
	b := &wallBundle{Bed: Start(t, func(c *config.Config) { c.Gateway.APIRate = rate })}
	gateways := []string{b.Address, b.Gateway(t)}
	_, own := b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: []access.Scope{access.ScopeAll}})
	_, other := b.Key(t, access.MintParams{Tenant: "tenant_loja", Scopes: []access.Scope{access.ScopeAll}})
	ask := func(at, key string) *Answer {
		answer, err := Exchange(t.Context(), at, "GET /v1/whoami\nAuthorization: Bearer "+key)
		require.NoError(t, err)
		return answer
	}
	began := time.Now()
	passed := map[string]int{}
	for n := range 3 * rate {
		at := gateways[n%2]
		answer := ask(at, own)
		require.Equal(t, strconv.Itoa(rate), answer.Header.Get("RateLimit-Limit"))
		if answer.Status == http.StatusOK {
			passed[at]++
			continue
		}
		require.Equal(t, "rate_limited", readThrottled(t, answer).Code)
	}
	most := rate + int(time.Since(began).Minutes()*rate) + 1
	all := passed[gateways[0]] + passed[gateways[1]]
	require.LessOrEqual(t, all, most, fmt.Sprint(passed))
	require.GreaterOrEqual(t, all, rate/2, fmt.Sprint(passed))
	require.Positive(t, passed[gateways[0]])
	require.Positive(t, passed[gateways[1]])
	require.Equal(t, http.StatusOK, ask(b.Address, other).Status)
}

// A queue that is full says how long it is.
func TestFullBacklogTellsItsDepth(t *testing.T) {
	t.Parallel()
	b := &wallBundle{Bed: Start(t, func(c *config.Config) { c.Gateway.Wait = time.Millisecond })}
	b.Tenants(t, tenant.Tenant{ID: "tenant_full", Servers: []string{"stripe"}, Backlog: 2, Paused: true})
	session := b.field(t, b.ask(t, b.Dev.Key, "POST", "/v1/sessions", `{"servers":["stripe"],"user_id":"tenant_full"}`), "id")
	for range 2 {
		waits := b.ask(t, b.Dev.Key, "POST", "/v1/sessions/"+session+"/send", `{"message":"Charge Ana."}`)
		require.Equal(t, http.StatusGatewayTimeout, waits.Status, waits.Body)
	}
	for path, body := range map[string]string{"/send": `{"message":"Charge Ana."}`, "/execute": `{"tool":"stripe__retrieve_balance"}`} {
		told := readThrottled(t, b.ask(t, b.Dev.Key, "POST", "/v1/sessions/"+session+path, body))
		require.Equal(t, "backlog_full", told.Code)
		require.Equal(t, 2, *told.Depth)
		require.Equal(t, 2, told.Limit)
	}
}
