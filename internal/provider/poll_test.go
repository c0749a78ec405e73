package provider

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

const twoCodes = `{"codes":["AA123456789BR","AA123456790BR"]}`

func TestALookIsOneRequestWithAnUncutAnswer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("palavra ", 1000)
	b := setup(t, "correios", answerWith(http.StatusOK, `{"objetos":[{"codObjeto":"AA123456789BR","mensagem":"`+long+` correios-code-0001"}]}`),
		func(c *Config) { c.MaxOutput = 100 })
	look := b.client.Look(t.Context(), b.request("track_bulk", twoCodes))
	require.Equal(t, LookSeen, look.State, look.Reason)
	require.Contains(t, string(look.Document), long)
	require.NotContains(t, string(look.Document), "correios-code-0001", "a secret came back")
	sent := b.requests()
	require.Len(t, sent, 1)
	require.Equal(t, "codigosObjetos=AA123456789BR&codigosObjetos=AA123456790BR&resultado=T", sent[0].Query)
	require.Equal(t, "Bearer short-lived-0001", sent[0].Header.Get("Authorization"))
}

func TestALookSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    LookState
		sent    int
	}{
		"a no":            {answerWith(http.StatusBadRequest, `{"msgs":["SRO-002"]}`), LookRefused, 1},
		"not found":       {answerWith(http.StatusNotFound, `{}`), LookRefused, 1},
		"broken":          {answerWith(http.StatusBadGateway, ``), LookAway, 1},
		"cut off":         {cut, LookAway, 2}, // Go's client sends once more on a used connection
		"no sense":        {answerWith(http.StatusOK, `<html>`), LookAway, 1},
		"too long":        {answerWith(http.StatusOK, `"`+strings.Repeat("x", 200)+`"`), LookRefused, 1},
		"no such account": {answerWith(http.StatusForbidden, `{}`), LookUnconnected, 1},
		"a stale token":   {answerWith(http.StatusUnauthorized, `{}`), LookUnconnected, 2},
	} {
		b := setup(t, "correios", test.handler, func(c *Config) { c.MaxResponse = 150 })
		look := b.client.Look(t.Context(), b.request("track_bulk", twoCodes))
		require.Equal(t, test.want, look.State, name)
		require.NotEmpty(t, look.Reason, name)
		require.LessOrEqual(t, len(b.requests()), test.sent, name)
		require.Empty(t, b.waits, "nobody waits for it")
	}
}

func TestALookOnlyReads(t *testing.T) {
	t.Parallel()
	b := setup(t, "correios", answerWith(http.StatusOK, `{}`), nil)
	for tool, arguments := range map[string]string{"create_prepost": `{}`, "none": `{}`, "track_bulk": `{"codes":["x"]}`} {
		require.Equal(t, LookRefused, b.client.Look(t.Context(), b.request(tool, arguments)).State, tool)
	}
	b.client.config.Credentials = opener(func(events.TenantID) (Credential, error) { return nil, ErrNoCredential })
	require.Equal(t, LookUnconnected, b.client.Look(t.Context(), b.request("track_bulk", twoCodes)).State)
	require.Empty(t, b.requests())
}

// A pause that a provider asks for is one for looks and calls alike.
func TestALookKeepsToTheLane(t *testing.T) {
	t.Parallel()
	limited := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "120")
		answerWith(http.StatusTooManyRequests, `{}`)(w, r)
	}
	b := setup(t, "correios", limited, func(c *Config) { c.Tries = 1 })
	look := b.client.Look(t.Context(), b.request("track_bulk", twoCodes))
	require.Equal(t, LookLimited, look.State)
	require.Equal(t, 2*time.Minute, look.Again)
	look = b.client.Look(t.Context(), b.request("track_bulk", twoCodes))
	require.Equal(t, LookLimited, look.State)
	require.InDelta(t, 2*time.Minute, look.Again, float64(10*time.Second))
	requireFault(t, b.call(t, "track_bulk", twoCodes), events.ToolError, events.FaultProviderLimited)
	require.Len(t, b.requests(), 1)

	other := b.request("track_bulk", twoCodes)
	other.Tenant = "loja"
	require.Equal(t, LookLimited, b.client.Look(t.Context(), other).State)
	require.Len(t, b.requests(), 2, "another tenant's lane is open")
}
