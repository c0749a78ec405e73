package provider

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

func TestLoopbackAndPrivateHostsAreForOperatorsOnly(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	host := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(host.Close)
	for name, base := range map[string]string{
		"loopback": host.URL, "by name": strings.Replace(host.URL, "127.0.0.1", "localhost", 1),
		"metadata": "https://169.254.169.254", "private": "https://10.0.0.1", "odd port": "https://192.0.2.1:8443",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "open", nil, func(c *Config) {
				manifest := openManifest()
				manifest.BaseURLs = map[events.Environment]string{events.EnvironmentTest: base}
				c.Manifests, c.Credentials, c.BaseURLs = []Manifest{manifest}, fields{"key": "open-key-0001"}, nil
			})
			result := b.call(t, "read", `{"id":"1"}`)
			requireFault(t, result, events.ToolRefused, events.FaultProviderError)
			require.Contains(t, result.Fault.Message, "not public")
			require.Equal(t, 1, result.Attempts)
		})
	}
	t.Cleanup(func() { require.Zero(t, reached.Load()) })
}

func TestMetadataIsOutOfReachForOperatorsToo(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", nil, func(c *Config) { c.BaseURLs["asaas"] = "http://169.254.169.254" })
	requireFault(t, b.call(t, "get_balance", `{}`), events.ToolRefused, events.FaultProviderError)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/base/elsewhere", http.StatusTemporaryRedirect)
	}, nil)
	requireFault(t, b.call(t, "get_balance", `{}`), events.ToolError, events.FaultProviderError)
	require.Len(t, b.requests(), 1)
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	client, err := New(Config{Credentials: fields{}})
	require.NoError(t, err)
	require.Equal(t, []string{"asaas", "correios", "melhor-envio", "nuvem-fiscal", "stripe", "z-api"}, client.Servers())

	tools := client.Tools(t.Context(), agent.Reach{Servers: []string{"z-api", "nobody", "asaas", "z-api"}})
	require.Equal(t, tools, client.Tools(t.Context(), agent.Reach{Servers: []string{"z-api", "asaas"}}))
	require.Equal(t, "z-api__send_text", tools[0].Name)
	for _, tool := range client.Tools(t.Context(), agent.Reach{Servers: client.Servers()}) {
		require.LessOrEqual(t, len(tool.Name), 64)
		require.Regexp(t, `^[a-zA-Z0-9_-]+$`, tool.Name)
		require.NotEmpty(t, tool.Description)
		require.Contains(t, string(tool.Parameters), `"additionalProperties":false`)
		server, name, ok := agent.SplitTool(tool.Name)
		require.True(t, ok)
		_, known := client.Safety(t.Context(), agent.Reach{}, server, name)
		require.True(t, known)
	}
	for name, want := range map[string]agent.Safety{
		"stripe__create_refund": agent.SafetyKeyed, "asaas__refund_payment": agent.SafetyUnsafe, "melhor-envio__checkout_cart": agent.SafetyUnsafe,
		"melhor-envio__calculate_shipping": agent.SafetyRead, "correios__cancel_prepost": agent.SafetyIdempotent, "z-api__send_text": agent.SafetyUnsafe,
	} {
		server, tool, _ := agent.SplitTool(name)
		got, ok := client.Safety(t.Context(), agent.Reach{}, server, tool)
		require.True(t, ok)
		require.Equal(t, want, got, name)
	}
	_, ok := client.Safety(t.Context(), agent.Reach{}, "asaas", "steal")
	require.False(t, ok)
}

func TestALiveTenantReachesOnlyTheLiveHost(t *testing.T) {
	t.Parallel()
	manifests, err := Embedded()
	require.NoError(t, err)
	for _, manifest := range manifests {
		on, err := compileServer(manifest, "")
		require.NoError(t, err)
		live, ok := on.base(events.EnvironmentLive)
		require.True(t, ok)
		require.Equal(t, manifest.BaseURLs[events.EnvironmentLive], live)
		test, ok := on.base(events.EnvironmentTest)
		require.Equal(t, manifest.ID != "z-api", ok)
		if manifest.ID != "stripe" {
			require.NotEqual(t, live, test)
		}
		if manifest.ID == "nuvem-fiscal" {
			require.Equal(t, "https://auth.nuvemfiscal.com.br/oauth/token", on.tokenURL(live))
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Timeout: -1, UserAgent: "a\nb", BaseURLs: map[string]string{"asaas": "ftp://x", "stripe": "http://u:p@x"}})
	for _, part := range []string{"Credentials is missing", "Timeout", "UserAgent", "BaseURLs[asaas]", "BaseURLs[stripe]"} {
		require.ErrorContains(t, err, part)
	}
	_, err = New(Config{Credentials: fields{}, BaseURLs: map[string]string{"nobody": "http://127.0.0.1"}})
	require.ErrorContains(t, err, "BaseURLs[nobody]")
}

func TestCredentialsAsPeopleGiveThem(t *testing.T) {
	t.Parallel()
	client, err := New(Config{Credentials: fields{}})
	require.NoError(t, err)
	spec := func(server string) CredentialSpec {
		manifest, ok := client.Manifest(server)
		require.True(t, ok)
		return manifest.Credential
	}
	got, err := spec("stripe").Parse(" sk_test_x \n")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"secret_key": "sk_test_x"}, got)
	got, err = spec("z-api").Parse(`{"instance_id":"a","token":"b"}`)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"instance_id": "a", "token": "b"}, got)
	for server, text := range map[string]string{
		"z-api": "hush-hush", "stripe": `{"secret_key":"hush-hush","pin":"hush-hush"}`, "correios": `{"user":"hush-hush"}`, "asaas": `{"api_key":"hush-hush\u0000"}`,
		"melhor-envio": `{"access_token":`,
	} {
		_, err := spec(server).Parse(text)
		require.ErrorIs(t, err, ErrInvalidCredential, server)
		require.NotContains(t, err.Error(), "hush-hush")
	}
}

func TestInvalidManifestsAreNamed(t *testing.T) {
	t.Parallel()
	content, err := embedded.ReadFile("manifests/asaas.yaml")
	require.NoError(t, err)
	valid := string(content)
	swap := func(old, with string) string {
		require.Contains(t, valid, old)
		return strings.Replace(valid, old, with, 1)
	}
	for name, text := range map[string]string{
		"unknown field":           valid + "\nsurprise: 1\n",
		"another file's id":       swap("id: asaas", "id: asaaz"),
		"plain http":              swap("live: https://", "live: http://"),
		"a GET with effect":       swap("safety: read\n    method: GET", "safety: unsafe\n    method: GET"),
		"a lookup of a read":      swap("safety: unsafe", "safety: idempotent"),
		"open parameters":         swap("additionalProperties: false", "additionalProperties: true"),
		"a kind without its part": swap("kind: header", "kind: path"),
		"no YAML":                 "id: [",
	} {
		_, err := Load(fstest.MapFS{"asaas.yaml": {Data: []byte(text)}})
		require.ErrorIs(t, err, ErrInvalidManifest, name)
		require.ErrorContains(t, err, "asaas.yaml", name)
	}
	for name, text := range map[string]string{
		"a path argument that is optional": swap("required: [id]", "required: []"),
		"a brace without a parameter":      swap("path: /finance/balance", "path: /finance/{account}"),
		"a keyed tool without a header":    swap("safety: unsafe\n    method: POST\n    path: /payments/{id}/refund", "safety: keyed\n    method: POST\n    path: /payments/{id}/refund"),
		"a parameter that goes nowhere":    swap("path: /payments/{id}/refund", "path: /payments/{id}/refund\n    body: {value: \"{value}\"}"),
		"an auth field that is none":       swap(`access_token: "{api_key}"`, `access_token: "{api_kee}"`),
		"a tool's name twice":              swap("name: get_balance", "name: get_payment"),
	} {
		manifests, err := Load(fstest.MapFS{"asaas.yaml": {Data: []byte(text)}})
		require.NoError(t, err, name)
		_, err = New(Config{Credentials: fields{}, Manifests: manifests})
		require.ErrorIs(t, err, ErrInvalidManifest, name)
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, " 12 ": 12 * time.Second, "999999999999": 0,
		"Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 11:00:00 GMT": 0,
	} {
		require.Equal(t, want, parseRetryAfter(text, now), text)
	}
}

func TestTheEndOfATokenIsReadInItsZone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	spec := TokenSpec{Token: "/token", ExpiresAt: "/expiraEm", UTCOffset: "-03:00"}
	got, err := spec.read([]byte(`{"token":"t-1","expiraEm":"2026-11-24T09:00:00"}`), now)
	require.NoError(t, err)
	require.True(t, got.expires.Equal(now.Add(24*time.Hour)), got.expires)
	got, err = spec.read([]byte(`{"token":"t-1","expiraEm":"one day"}`), now)
	require.NoError(t, err)
	require.True(t, got.expires.Equal(now.Add(tokenLifetime)))
	for _, body := range []string{``, `{}`, `{"token":7}`, `{"token":"a\nb"}`, `[]`} {
		_, err := spec.read([]byte(body), now)
		require.ErrorIs(t, err, errTokenAnswer, body)
	}
}
