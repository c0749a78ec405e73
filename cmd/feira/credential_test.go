package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

// setupBroker is a broker with two tenants, and no role that runs.
func setupBroker(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{log: testenv.Log(t), dir: testenv.Dir(t), url: testenv.Restartable(t).URL}
	file := filepath.Join(b.dir, "tenants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(tenantsFile), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", file)
	return b
}

// said is why a command that reads a secret failed, which never says it.
func (b *testBundle) said(t *testing.T, in string, args ...string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	code := run(t.Context(), append(args, "--nats-url", b.url, "--data-dir", b.dir), streams{in: strings.NewReader(in), out: &out, err: &complaints})
	require.Equal(t, exitFailed, code)
	require.NotContains(t, out.String()+complaints.String(), "CANARY")
	return complaints.String()
}

func TestCredentialsOverTheirLife(t *testing.T) {
	t.Parallel()
	b := setupBroker(t)
	said := b.said(t, "sk_live_CANARY", "credential", "set", "tenant_acme", "stripe")
	require.Contains(t, said, "field secret_key is not one for the test environment")
	require.Contains(t, b.feira(t, "", "credential", "list", "tenant_acme", "--json"), `"credentials":[]`)
	b.feira(t, "sk_test_CANARY", "credential", "set", "tenant_acme", "stripe")
	b.feira(t, `{"access_token":"CANARY-a","refresh_token":"CANARY-r","expires_at":"2026-01-02T03:04:05Z"}`, "credential", "set", "tenant_loja", "melhor-envio")

	text := b.feira(t, "", "credential", "list", "tenant_acme")
	require.Regexp(t, `(?m)^SERVER +ENVIRONMENT +STATE +EXPIRES +SEALED +FIELDS$`, text)
	require.Regexp(t, `(?m)^stripe +test +sealed +20\S+Z? +secret_key$`, text)
	require.Regexp(t, `(?m)^melhor-envio +test +expired +2026-01-02T03:04:05Z +\S+ +access_token expires_at refresh_token$`, b.feira(t, "", "credential", "list", "tenant_loja"))
	var listed struct {
		Credentials []struct {
			State     string            `json:"state"`
			ExpiresAt string            `json:"expires_at"`
			Plain     map[string]string `json:"plain"`
		} `json:"credentials"`
	}
	require.NoError(t, json.Unmarshal([]byte(b.feira(t, "", "credential", "list", "tenant_loja", "--json")), &listed))
	require.Equal(t, "expired", listed.Credentials[0].State)
	require.Equal(t, "2026-01-02T03:04:05Z", listed.Credentials[0].ExpiresAt)
	require.Equal(t, map[string]string{"expires_at": "2026-01-02T03:04:05Z"}, listed.Credentials[0].Plain)

	require.Contains(t, b.said(t, "", "credential", "delete", "tenant_acme", "correios"), "no credential")
	require.Contains(t, b.said(t, "", "credential", "delete", "tenant_acme", "stripe", "--env", "live"), "no credential")
	require.Contains(t, b.said(t, "", "credential", "delete", "tenant_typo", "stripe"), "not registered")
	require.Contains(t, b.feira(t, "", "credential", "delete", "tenant_acme", "stripe"), "deleted the credential of tenant_acme for stripe")
	require.Contains(t, b.feira(t, "", "credential", "list", "tenant_acme", "--json"), `"credentials":[]`)
}

// The operator's own applications lie beside the tenants' credentials.
func TestRegistrations(t *testing.T) {
	t.Parallel()
	b := setupBroker(t)
	for in, want := range map[string]string{
		`{"client_id":"app"}`: "field client_secret is missing",
		`{"client_id":"app","client_secret":"CANARY","access_token":"CANARY"}`: "none of client_id, client_secret",
		`CANARY`: "want a JSON object", "": "standard input is empty",
	} {
		require.Contains(t, b.said(t, in, "credential", "register", "melhor-envio", "--env", "test"), want)
	}
	const app = `{"client_id":"app","client_secret":"CANARY"}`
	require.Contains(t, b.said(t, app, "credential", "register", "stripe", "--env", "test"), "not connected to an application")
	require.Contains(t, b.said(t, app, "credential", "register", "nobody", "--env", "test"), "no provider")
	require.Contains(t, b.said(t, app, "credential", "register", "melhor-envio", "--env", "moon"), "environment has to be live or test")
	require.Contains(t, b.feira(t, app, "credential", "register", "melhor-envio", "--env", "live"), "sealed your live application with melhor-envio: client_id, client_secret")
	require.Contains(t, b.feira(t, "", "credential", "list", "_operator"), "melhor-envio")
	require.Contains(t, b.feira(t, "", "vault", "rotate"), "_operator")
	require.Contains(t, b.feira(t, "", "vault", "audit"), "_operator: records")
	require.Contains(t, b.said(t, app, "credential", "set", "_operator", "melhor-envio"), "tenant")
	b.feira(t, "", "credential", "delete", "_operator", "melhor-envio", "--env", "live")
	require.NotContains(t, b.feira(t, "", "credential", "list", "_operator"), "melhor-envio")
}
