package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/config"
)

// feira runs one command in this process, without a broker unless it is told
// of one.
func feira(t *testing.T, in string, args ...string) (code int, out, complaints string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append(args, "--data-dir", t.TempDir())
	code = run(t.Context(), args, streams{in: strings.NewReader(in), out: &stdout, err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	tenants := filepath.Join(t.TempDir(), "tenants.yaml")
	require.NoError(t, os.WriteFile(tenants, []byte("tenants:\n  - {id: tenant_acme, servers: [stripe], concurency: 3}\n"), 0o600))
	empty := filepath.Join(t.TempDir(), "empty.yaml")
	require.NoError(t, os.WriteFile(empty, []byte("tenants: []\n"), 0o600))
	misspelt := filepath.Join(t.TempDir(), "misspelt.yaml")
	require.NoError(t, os.WriteFile(misspelt, []byte("tenants:\n  - {id: tenant_acme, servers: [stripes], concurrency: -1}\n"), 0o600))
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":         {nil, exitUsage, "expected one of"},
		"unknown command":    {[]string{"dance"}, exitUsage, "dance"},
		"unknown flag":       {[]string{"dev", "--fast"}, exitUsage, "--fast"},
		"unknown role":       {[]string{"run", "dancer"}, exitFailed, `unknown role "dancer"`},
		"bad setting":        {[]string{"version", "--nats-replicas", "2"}, exitUsage, "nats.replicas"},
		"unknown field":      {[]string{"tenant", "apply", "-f", tenants}, exitFailed, "concurency"},
		"no tenants":         {[]string{"tenant", "apply", "-f", empty}, exitFailed, "field tenants is empty"},
		"bad tenant":         {[]string{"tenant", "apply", "-f", misspelt}, exitFailed, "concurrency is -1"},
		"no credential":      {[]string{"credential", "set", "tenant_acme", "stripe"}, exitFailed, "standard input is empty"},
		"no broker":          {[]string{"tenant", "list", "--nats-url", "nats://127.0.0.1:1"}, exitFailed, "127.0.0.1:1"},
		"arguments no JSON":  {[]string{"send", "tenant_acme", "--tool", "stripe__retrieve_balance", "{"}, exitFailed, "not JSON"},
		"mocks nowhere":      {[]string{"send", "tenant_acme", "hello", "--mocks", tenants + ".json"}, exitFailed, "reading the mocks"},
		"mocks no JSON":      {[]string{"send", "tenant_acme", "hello", "--mocks", tenants}, exitFailed, "are not JSON"},
		"nothing to send":    {[]string{"send", "tenant_acme"}, exitFailed, "message"},
		"cancel what":        {[]string{"cancel", "tenant_acme"}, exitFailed, "name a session or a request"},
		"cancel all but one": {[]string{"cancel", "tenant_acme", "--all", "--session", "s"}, exitFailed, "name a session or a request"},
		"month that is none": {[]string{"usage", "tenant_acme", "--month", "2026-13"}, exitFailed, "2026-13"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, complaints := feira(t, "", test.args...)
			require.Equal(t, test.code, code, complaints)
			require.Contains(t, complaints, test.want)
			require.Empty(t, out, "a complaint is no data")
		})
	}
}

func TestVersionAndCheckSpeakJSON(t *testing.T) {
	t.Parallel()
	code, out, _ := feira(t, "", "version", "--json")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, `"version"`)
	code, out, _ = feira(t, "", "config", "check", "--json")
	require.Equal(t, exitOK, code)
	require.JSONEq(t, `{"ok":true}`, out)
}

func TestHelpIsNoMistake(t *testing.T) {
	t.Parallel()
	code, out, _ := feira(t, "", "--help")
	require.Equal(t, exitOK, code)
	for _, command := range []string{"demo", "dev", "run", "tenant", "credential", "provider", "send", "tail", "usage", "dead", "config", "version"} {
		require.Contains(t, out, command)
	}
}

// What the client of a key service takes from the environment does not either.
func TestForeignSecretsStayOutOfComplaints(t *testing.T) {
	for _, variable := range config.ForeignSecrets() {
		t.Setenv(variable, "canary-of-"+variable)
		code, out, complaints := feira(t, "", "run", "canary-of-"+variable)
		require.Equal(t, exitFailed, code)
		require.NotContains(t, out+complaints, "canary-of-"+variable)
		require.Contains(t, complaints, "[redacted]")
	}
}

// A secret that an operator has set does not come back in a complaint.
func TestSecretsStayOutOfComplaints(t *testing.T) {
	t.Parallel()
	const canary = "canary-password-of-the-broker"
	_, out, complaints := feira(t, "", "tenant", "list", "--nats-url", "nats://127.0.0.1:1", "--nats-user", "feira", "--nats-password", canary)
	require.NotContains(t, out+complaints, canary)
	_, out, complaints = feira(t, "", "config", "check", "--nats-password", canary)
	require.NotContains(t, out+complaints, canary)
}
