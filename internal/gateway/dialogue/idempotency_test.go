package dialogue_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/access"
)

// asking is who asks for things under idempotency keys.
type asking struct {
	*wallBundle
}

func setupAsking(t *testing.T) asking {
	t.Helper()
	b := asking{&wallBundle{Bed: Start(t, nil), keys: map[string]string{}}}
	all := []access.Scope{access.ScopeAll}
	_, b.keys["own"] = b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: all})
	_, b.keys["other"] = b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: all})
	return b
}

// asker is who asks, and at which gateway.
type asker struct{ at, key string }

// post asks under an idempotency key at a gateway.
func (b asking) post(t *testing.T, by asker, key, path, body string) *Answer {
	t.Helper()
	answer, err := Exchange(t.Context(), by.at, "POST "+path+"\nAuthorization: Bearer "+by.key+"\nIdempotency-Key: "+key+"\nContent-Type: application/json\n\n"+body)
	require.NoError(t, err)
	return answer
}

func (b asking) keysNamed(t *testing.T, name string) int {
	t.Helper()
	var listed struct{ Keys []struct{ Name string } }
	answer := b.ask(t, b.keys["own"], "GET", "/v1/api-keys", "")
	require.NoError(t, json.Unmarshal([]byte(answer.Body), &listed), answer.Body)
	count := 0
	for _, key := range listed.Keys {
		if key.Name == name {
			count++
		}
	}
	return count
}

// The second time nothing is done, at whichever gateway, and the answer is the
// first one without its secret.
func TestKeyIsMadeOnceUnderAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setupAsking(t)
	const body = `{"name":"till","scopes":["sessions:read"]}`
	first := b.post(t, asker{b.Address, b.keys["own"]}, "k-1", "/v1/api-keys", body)
	require.Equal(t, http.StatusCreated, first.Status, first.Body)
	require.Empty(t, first.Header.Get("Idempotent-Replayed"))
	secret := b.field(t, first, "full_key")
	for _, at := range []string{b.Address, b.Gateway(t)} {
		again := b.post(t, asker{at, b.keys["own"]}, "k-1", "/v1/api-keys", body)
		require.Equal(t, http.StatusCreated, again.Status, again.Body)
		require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
		require.Equal(t, "application/json", again.Header.Get("Content-Type"))
		require.Equal(t, b.field(t, first, "id"), b.field(t, again, "id"))
		require.NotContains(t, again.Body, secret)
		require.Contains(t, again.Body, `"full_key":""`)
		require.NotEqual(t, first.Header.Get("X-Request-Id"), again.Header.Get("X-Request-Id"))

		clash := b.post(t, asker{at, b.keys["own"]}, "k-1", "/v1/api-keys", `{"name":"till 2"}`)
		require.Equal(t, http.StatusConflict, clash.Status, clash.Body)
		require.Contains(t, clash.Body, `"code":"idempotency_conflict"`)
		require.Contains(t, clash.Body, `"field":"Idempotency-Key"`)
	}
	require.Equal(t, 1, b.keysNamed(t, "till"))
	require.Equal(t, http.StatusCreated, b.post(t, asker{b.Address, b.keys["other"]}, "k-1", "/v1/api-keys", body).Status)
	require.Equal(t, 2, b.keysNamed(t, "till"), "another caller's key is another")
}

// Of many who ask at one time at two gateways one is served.
func TestOneOfManyActsUnderAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setupAsking(t)
	gateways := []string{b.Address, b.Gateway(t)}
	answers := make([]*Answer, 16)
	var all sync.WaitGroup
	for n := range answers {
		all.Go(func() {
			answers[n], _ = Exchange(t.Context(), gateways[n%2],
				"POST /v1/api-keys\nAuthorization: Bearer "+b.keys["own"]+"\nIdempotency-Key: crowd\n\n"+`{"name":"crowd"}`)
		})
	}
	all.Wait()
	shown := 0
	for _, answer := range answers {
		require.NotNil(t, answer)
		switch answer.Status {
		case http.StatusCreated:
			if answer.Header.Get("Idempotent-Replayed") == "" {
				shown++
			}
		case http.StatusConflict:
			require.Contains(t, answer.Body, `"code":"idempotency_in_progress"`)
			require.Equal(t, "1", answer.Header.Get("Retry-After"))
		default:
			require.Fail(t, answer.Body)
		}
	}
	require.Equal(t, 1, shown)
	require.Equal(t, 1, b.keysNamed(t, "crowd"))
}

// What was refused was not done, so the key is free for what is right.
func TestRefusalLeavesTheIdempotencyKeyFree(t *testing.T) {
	t.Parallel()
	b := setupAsking(t)
	refused := b.post(t, asker{b.Address, b.Dev.Key}, "t-1", "/v1/tenants", `{"id":"tenant_once","servers":["nowhere"]}`)
	require.Equal(t, http.StatusBadRequest, refused.Status, refused.Body)
	const body = `{"id":"tenant_once","servers":["stripe"]}`
	for range 2 {
		made := b.post(t, asker{b.Address, b.Dev.Key}, "t-1", "/v1/tenants", body)
		require.Equal(t, http.StatusCreated, made.Status, made.Body)
	}
	exists := b.post(t, asker{b.Address, b.Dev.Key}, "t-2", "/v1/tenants", body)
	require.Equal(t, http.StatusConflict, exists.Status, exists.Body)
	require.Contains(t, exists.Body, `"code":"conflict"`)
}

// Two callers in one session do not meet, whatever they call what they ask.
func TestCallersOfASessionDoNotShareIdempotencyKeys(t *testing.T) {
	t.Parallel()
	b := setupAsking(t)
	session := b.field(t, b.ask(t, b.keys["own"], "POST", "/v1/sessions", `{"servers":["stripe"]}`), "id")
	const body = `{"tool":"stripe__retrieve_balance","input":{}}`
	path := "/v1/sessions/" + session + "/execute"
	calls := map[string]bool{}
	for _, who := range []string{"own", "other", "own", "other"} {
		answer := b.post(t, asker{b.Address, b.keys[who]}, "balance", path, body)
		require.Equal(t, http.StatusOK, answer.Status, answer.Body)
		calls[b.field(t, answer, "tool_call_id")] = true
	}
	require.Len(t, calls, 2)
}

// Every POST takes a key of 255 bytes and none of more.
func TestEveryPostTakesAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setupAsking(t)
	rows := walls()
	of := target{tenant: "tenant_ghost", session: "ses_0", request: "req_0", connection: "ca_0", trigger: "trg_0", key: "key_0"}
	for _, methods := range fetchDocument(t, b.Address).Paths {
		operation, found := methods["post"]
		if !found || len(operation.Security) == 0 || operation.ID == "mcp" {
			continue // MCP has ids of its own for what is asked
		}
		row, body := rows[operation.ID], ""
		if row.body != nil {
			body = row.body(of)
		}
		require.Contains(t, string(operation.Parameters), `"Idempotency-Key"`, operation.ID)
		long := b.post(t, asker{b.Address, b.Dev.Key}, strings.Repeat("k", 256), row.path(of), body)
		require.Equal(t, http.StatusBadRequest, long.Status, "%s: %s", operation.ID, long.Body)
		require.Contains(t, long.Body, `"field":"Idempotency-Key"`, operation.ID)
		whole := b.post(t, asker{b.Address, b.Dev.Key}, strings.Repeat("k", 255), row.path(of), body)
		require.NotContains(t, whole.Body, "Idempotency-Key", operation.ID)
	}
}
