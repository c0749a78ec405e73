package provider

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/hostile"
)

// canaries are secrets that appear nowhere else; "/" and "+" are there because
// such characters are written in more than one way.
func canaries(server string) fields {
	return map[string]fields{
		"stripe":       {"secret_key": "CANARY/stripe+7f3a"},
		"correios":     {"user": "loja", "access_code": "CANARY/correios+7f3a", "posting_card": "0067599079"},
		"nuvem-fiscal": {"client_id": "id", "client_secret": "CANARY/nuvem+7f3a"},
		"asaas":        {"api_key": "CANARY/asaas+7f3a"},
		"melhor-envio": {"access_token": "CANARY/melhor+7f3a"},
		"z-api":        {"instance_id": "3C01", "token": "CANARY/zapi+7f3a", "client_token": "CANARY/client+7f3a"},
	}[server]
}

// TestNoSecretComesBack plays providers that echo all that they were sent, in
// every way that an answer can be read, and looks at all that leaves the client.
func TestNoSecretComesBack(t *testing.T) {
	t.Parallel()
	readers := map[string]string{
		"stripe": "retrieve_balance", "correios": "find_cep", "nuvem-fiscal": "consult_cep",
		"asaas": "get_balance", "melhor-envio": "get_balance", "z-api": "get_status",
	}
	handlers := map[string]http.HandlerFunc{
		"echoed in an answer":     echo(http.StatusOK),
		"echoed in an error":      echo(http.StatusBadRequest),
		"echoed by a broken host": echo(http.StatusInternalServerError),
		"echoed to a refusal":     echo(http.StatusUnauthorized),
		"cut":                     cut,
		"half an answer":          cutInBody,
		"redirect":                redirect,
	}
	for server, tool := range readers {
		for name, handler := range handlers {
			t.Run(server+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, server, handler, func(c *Config) { c.Credentials = canaries(server) })
				result := b.call(t, tool, `{}`)
				if strings.HasPrefix(tool, "find_") || strings.HasPrefix(tool, "consult_") {
					result = b.call(t, tool, `{"cep":"01001000"}`)
				}
				require.NotEmpty(t, b.requests(), "%+v", result.Fault)
				requireNoSecret(t, server, result.Output)
				if result.Fault != nil {
					requireNoSecret(t, server, result.Fault.Message)
				}
				require.NotEmpty(t, b.logs.String())
				requireNoSecret(t, server, b.logs.String())
			})
		}
	}
}

// echo answers with the whole request, as text, in base64, in a header's form
// and as the names of fields.
func echo(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		parts := []string{r.URL.String(), r.URL.Path}
		names := map[string]any{}
		for name, values := range r.Header {
			parts = append(parts, name+": "+strings.Join(values, ","))
			for _, value := range values {
				names[strings.TrimPrefix(value, "Bearer ")] = base64.StdEncoding.EncodeToString([]byte(strings.TrimPrefix(value, "Bearer ")))
			}
		}
		sent := strings.Join(parts, " ")
		body, _ := json.Marshal(map[string]any{
			"message": sent, "error": map[string]any{"message": sent, "code": sent}, "errors": []any{map[string]any{"description": sent}}, "names": names,
		})
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.ReplaceAll(string(body), "/", `\/`))) // as PHP writes it
	}
}

func requireNoSecret(t *testing.T, server, text string) {
	t.Helper()
	secrets := []string{"short-lived-0001", "CANARY", "zapi+7f3a"}
	for _, value := range canaries(server) {
		if strings.Contains(value, "CANARY") {
			secrets = append(secrets, url.PathEscape(value), url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	for _, secret := range secrets {
		require.NotContains(t, text, secret)
	}
}

func TestKnownFormsAreRedactedWhoseverTheyAre(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"sk_live_51Habc", "sk_test_51Habc", "rk_live_xyz9", "whsec_abcDEF123=", "csk_live_abc-123",
		"$aact_prod_000MzkwODA2MWY2OGM3MWRlMDU2NWM3MzJlNzZmNGZhZGY6OjE=", "$aact_YTU5YTE0M2M2N2I4",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_DEF-123", "Bearer 0123456789abcdef0123",
		"https://api.z-api.io/instances/3C01AB/token/9F8E7D/send-text",
	} {
		text := hostile.ScrubForms("before " + secret + " after")
		require.Contains(t, text, "[redacted]", secret)
		require.True(t, strings.HasPrefix(text, "before "))
		require.True(t, strings.HasSuffix(text, " after"), text)
		require.NotContains(t, text, secret)
	}
	const plain = `{"id":"pi_3Abc","client":"cus_1","token":"a short word","path":"/instances"}`
	require.Equal(t, "see "+plain, hostile.ScrubForms("see "+plain))
}

func TestASecretCannotHideAtTheCut(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", answerWith(200, `{"a":"`+strings.Repeat("x", 200)+`CANARY/asaas+7f3a"}`), func(c *Config) {
		c.Credentials, c.MaxOutput = canaries("asaas"), 255
	})
	result := b.call(t, "get_balance", `{}`)
	require.Equal(t, events.ToolOK, result.Status)
	require.NotContains(t, result.Output, "CANARY")
}

func TestTokensAreFetchedOncePerCredentialAndRenewed(t *testing.T) {
	t.Parallel()
	var issued, refused atomic.Int32
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isTokenPath(r.URL.Path) {
			serial := issued.Add(1)
			_ = r.ParseForm()
			user, password, _ := r.BasicAuth()
			if r.PostForm.Get("client_secret") != "nuvem-secret-0001" || r.PostForm.Get("grant_type") != "client_credentials" || user+password != "" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			answerWith(200, `{"access_token":"token-`+string(rune('0'+serial))+`","expires_in":3600}`)(w, r)
			return
		}
		if r.Header.Get("Authorization") == "Bearer token-1" && refused.Load() == 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answerWith(200, `{"ok":true}`)(w, r)
	}))
	t.Cleanup(host.Close)
	b := setup(t, "nuvem-fiscal", nil, func(c *Config) { c.BaseURLs["nuvem-fiscal"] = host.URL })
	for range 3 {
		require.Equal(t, events.ToolOK, b.call(t, "consult_cep", `{"cep":"01001000"}`).Status)
	}
	require.EqualValues(t, 1, issued.Load())

	refused.Store(1) // the provider forgets the token: even an unsafe call gets a new one
	result := b.call(t, "create_nfse", `{"infDPS":{"prest":{},"serv":{},"valores":{}}}`)
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
	require.Equal(t, 2, result.Attempts)
	require.EqualValues(t, 2, issued.Load())

	call := b.request("consult_cep", `{"cep":"01001000"}`)
	call.Tenant = "other" // shares nothing, though its credential is the same
	require.Equal(t, events.ToolOK, b.client.Call(t.Context(), call).Status)
	require.EqualValues(t, 3, issued.Load())
}

func TestCorreiosTokenIsAskedForWithThePostingCard(t *testing.T) {
	t.Parallel()
	var got seen
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isTokenPath(r.URL.Path) {
			user, password, _ := r.BasicAuth()
			var body struct{ Numero string }
			_ = json.NewDecoder(r.Body).Decode(&body)
			got = seen{Method: r.Method, Path: r.URL.Path, Query: user + ":" + password, Body: body.Numero}
			answerWith(201, `{"token":"jwt-0001","expiraEm":"2020-01-01T00:00:00"}`)(w, r)
			return
		}
		answerWith(200, `{}`)(w, r)
	}))
	t.Cleanup(host.Close)
	b := setup(t, "correios", nil, func(c *Config) { c.BaseURLs["correios"] = host.URL })
	require.Equal(t, events.ToolOK, b.call(t, "find_cep", `{"cep":"01001000"}`).Status)
	require.Equal(t, seen{Method: "POST", Path: "/token/v1/autentica/cartaopostagem", Query: "loja:correios-code-0001", Body: "0067599079"}, got)
}

func TestARefusedTokenExchangeSendsNothing(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct {
		status   events.ToolStatus
		attempts int
	}{401: {events.ToolRefused, 1}, 503: {events.ToolError, 3}, 200: {events.ToolError, 3}} {
		host := httptest.NewServer(answerWith(status, `{"error":"nuvem-secret-0001"}`))
		b := setup(t, "nuvem-fiscal", nil, func(c *Config) { c.BaseURLs["nuvem-fiscal"] = host.URL })
		result := b.call(t, "create_nfse", `{"infDPS":{"prest":{},"serv":{},"valores":{}}}`)
		requireFault(t, result, want.status, events.FaultProviderError)
		require.Equal(t, want.attempts, result.Attempts)
		require.NotContains(t, result.Fault.Message+b.logs.String(), "nuvem-secret-0001")
		host.Close()
	}
}
