package dialogue_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/config"
)

// Every endpoint that takes a body refuses one that is too large, by a byte, or
// of another type; every endpoint refuses what no header may be.
func TestEveryEndpointRefusesAlike(t *testing.T) {
	t.Parallel()
	const most = 4096
	b := &wallBundle{Bed: Start(t, func(c *config.Config) { c.Gateway.MaxBody = most })}
	rows := walls()
	of := target{tenant: "tenant_acme", session: "ses_0", request: "req_0", connection: "ca_0", trigger: "trg_0", key: "key_0"}
	for path, methods := range fetchDocument(t, b.Address).Paths {
		for method, operation := range methods {
			at := path
			if row, ok := rows[operation.ID]; ok {
				at = row.path(of)
			}
			head := strings.ToUpper(method) + " " + at + "\nAuthorization: Bearer " + b.Dev.Key + "\n"
			try := func(headers, body string) *Answer {
				answer, err := Exchange(t.Context(), b.Address, head+headers+"\n"+body)
				require.NoError(t, err)
				require.Equal(t, "application/json", answer.Header.Get("Content-Type"), "%s: %s", operation.ID, answer.Body)
				require.NotContains(t, answer.Body, "xxxx", operation.ID)
				return answer
			}
			answer := try("X-Codespar-Project: none\n", "")
			require.Equal(t, http.StatusBadRequest, answer.Status, "%s: %s", operation.ID, answer.Body)
			require.Contains(t, answer.Body, `"field":"X-Codespar-Project"`)
			above := try("Content-Type: application/json\n", `{"unknown":"`+strings.Repeat("x", most)+`"}`)
			require.Equal(t, http.StatusRequestEntityTooLarge, above.Status, "%s: %s", operation.ID, above.Body)
			if _, takes := operation.Responses["415"]; !takes {
				continue
			}
			at4096 := `{"unknown":"` + strings.Repeat("x", most-len(`{"unknown":""}`)) + `"}`
			require.Len(t, at4096, most)
			require.NotEqual(t, http.StatusRequestEntityTooLarge, try("Content-Type: application/json\n", at4096).Status, operation.ID)
			answer = try("Content-Type: text/csv\n", "a,b")
			require.Equal(t, http.StatusUnsupportedMediaType, answer.Status, "%s: %s", operation.ID, answer.Body)
		}
	}
}

// What all answers carry, so that nothing in between keeps or misreads them.
func TestAnswersCarryTheirGuards(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	for _, path := range []string{"/health", "/v1/whoami", "/openapi.json", "/docs", "/nowhere"} {
		answer, err := Exchange(t.Context(), b.Address, "GET "+path)
		require.NoError(t, err)
		require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-store", answer.Header.Get("Cache-Control"), path)
		require.NotContains(t, answer.Body, "http://unpkg", path)
	}
	answer, err := Exchange(t.Context(), b.Address, "GET /metrics\nAuthorization: Bearer "+b.Dev.Key)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.Status, answer.Body)
	require.Contains(t, answer.Body, "go_goroutines")
	page, err := Exchange(t.Context(), b.Address, "GET /docs")
	require.NoError(t, err)
	require.NotContains(t, page.Body, "<script")
	require.NotRegexp(t, `(src|href)="(https?:)?//`, page.Body, "the page needs no other host")
}
