package canary

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/provider/providertest"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/testenv"
)

const (
	acme = "tenant_acme"
	loja = "tenant_loja"
	pace = 100 * time.Millisecond
	// allTools is how many tools the six providers have.
	allTools = 144
)

const tenantsFile = `tenants:
  - {id: tenant_acme, servers: [asaas, correios, melhor-envio, nuvem-fiscal, stripe, z-api], concurrency: 32}
  - {id: tenant_loja, servers: [asaas, correios, melhor-envio, nuvem-fiscal, stripe, z-api], concurrency: 32}
`

// TestNoSecretComesToLight runs the real roles for two tenants, a secret of its
// own in every field of their credentials that is one: every tool is called,
// turns are run, providers repeat what they were sent in answers, errors and
// headers, and the command line is asked for all that it tells. Then everything
// that was written anywhere is scanned for each secret in each form.
func TestNoSecretComesToLight(t *testing.T) {
	t.Parallel()
	m := setup(t, acme, loja)
	file := filepath.Join(t.TempDir(), "tenants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(tenantsFile), 0o600))
	m.must(t, "", "tenant", "apply", "-f", file)
	for _, tenant := range []string{acme, loja} {
		for _, server := range sandbox.Servers() {
			fields := maps.Clone(m.fields[tenant][server])
			if server == "melhor-envio" && tenant == loja { // its pair of tokens is renewed at the first call
				fields["expires_at"] = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			}
			m.must(t, asJSON(t, fields), "credential", "set", tenant, server)
		}
	}
	m.role(t, "scheduler", "scheduler")
	m.roles["scheduler"].WaitForOutput(t, leading)
	m.role(t, "worker-1", "worker")
	m.role(t, "worker-2", "worker")
	m.role(t, "meter", "meter")
	m.roles["tail"] = testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: m.env, Args: []string{"tail", acme, "--json", "--follow"}})

	t.Run("tools", m.everyTool)
	t.Run("faults", m.everyFault)
	t.Run("turns", m.turns)
	t.Run("commands", m.commands)
	m.close(t)
	m.requireNothing(t)
}

// everyTool calls each tool of each provider for each tenant, as its dialogue
// has it, by a request of its own.
func (m *market) everyTool(t *testing.T) {
	for _, tenant := range []string{acme, loja} {
		called := 0
		for _, server := range sandbox.Servers() {
			tools := map[string]bool{}
			for _, step := range providertest.Steps(t, server) {
				tools[step.Tool] = true
			}
			called += len(tools)
			t.Run(tenant+" at "+server, func(t *testing.T) {
				t.Parallel()
				o, saved := m.operator(t), map[string]string{}
				for _, step := range providertest.Steps(t, server) {
					m.play(t, o, place{tenant, server}, step, saved)
				}
			})
		}
		require.Equal(t, allTools, called)
	}
}

type place struct{ tenant, server string }

func (m *market) play(t *testing.T, o *app.Operator, at place, step providertest.Step, saved map[string]string) {
	t.Helper()
	m.ahead.Add(int64(step.Advance))
	if step.Meanwhile != "" {
		answer := m.elsewhere(t, at.tenant, at.server, providertest.Filled(t, step.Meanwhile, saved))
		for _, keep := range step.Keeps {
			saved[keep[0]] = providertest.Pick(t, answer, keep[1])
		}
	}
	end := send(t, o, events.RequestParams{Tenant: events.TenantID(at.tenant), Kind: events.KindCall},
		events.Request{Tool: at.server + "__" + step.Tool, Arguments: []byte(providertest.Filled(t, step.Arguments, saved))})
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s: %s", step.Tool, end.Reason, end.Detail)
	for _, save := range step.Saves {
		saved[save[0]] = providertest.Pick(t, []byte(end.Message), save[1])
	}
}

// probe is a call that a server's fault is tried on.
type probe struct{ reads, writes string }

func probes() map[string]probe {
	const cep = `{"cep":"01001000"}`
	return map[string]probe{
		"stripe":       {"retrieve_balance {}", `create_customer {"name":"Maria Silva","email":"maria@example.com"}`},
		"correios":     {"find_cep " + cep, "find_cep " + cep},
		"nuvem-fiscal": {"consult_cep " + cep, "consult_cep " + cep},
		"asaas":        {"get_balance {}", `create_customer {"name":"Maria Silva","cpfCnpj":"52998224725"}`},
		"melhor-envio": {"get_balance {}", "get_balance {}"},
		"z-api":        {"get_status {}", `send_text {"phone":"5511987654321","message":"oi"}`},
	}
}

// everyFault has each provider repeat what it was sent in every careless way,
// to a call and, within a turn, to a model.
func (m *market) everyFault(t *testing.T) {
	for server, probe := range probes() {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			caller, speaker := m.operator(t), m.operator(t)
			for _, now := range modes() {
				m.mirror.set(server, now)
				turned := make(chan error, 1)
				go func() {
					_, err := speaker.Send(t.Context(), events.RequestParams{Tenant: acme}, events.Request{Message: "/call " + server + "__" + probe.writes}, false, nil)
					turned <- err
				}()
				end := call(t, caller, server, probe.reads)
				require.Equal(t, now.name == "200", end.Status == events.TurnCompletedOK, "%s: %s %s", now.name, end.Status, end.Detail)
				require.NoError(t, <-turned)
				m.mirror.clear(server)
				end = call(t, caller, server, probe.reads) // lest the breaker open
				require.Equal(t, events.TurnCompletedOK, end.Status, "after %s: %s", now.name, end.Detail)
			}
		})
	}
}

func call(t *testing.T, o *app.Operator, server, what string) *events.TurnCompleted {
	t.Helper()
	tool, arguments, _ := strings.Cut(what, " ")
	return send(t, o, events.RequestParams{Tenant: acme, Kind: events.KindCall}, events.Request{Tool: server + "__" + tool, Arguments: []byte(arguments)})
}

func (m *market) turns(t *testing.T) {
	o := m.operator(t)
	for _, tenant := range []events.TenantID{acme, loja} {
		for _, text := range []string{
			"Order 1001: charge R$ 150,00 to Maria Silva (CPF 529.982.247-25, maria@example.com), ship to CEP 01310-100 and invoice it",
			"What is the balance now?",
			"/call stripe__retrieve_payment_intent {\"id\":\"pi_none\"}\n/call z-api__get_status {}\n/call nobody__read {}",
		} {
			end := send(t, o, events.RequestParams{Tenant: tenant, Session: "ses_turns"}, events.Request{Message: text})
			require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
		}
	}
}

// commands asks the command line for all that it tells of tenants and
// credentials, and gives it credentials that it must refuse without repeating them.
func (m *market) commands(t *testing.T) {
	secret := m.fields[acme]["asaas"]["api_key"]
	m.fails(t, `{"api_key":`+asJSON(t, secret), "credential", "set", acme, "asaas")
	m.fails(t, `{"api_key":["`+secret+`"]}`, "credential", "set", acme, "asaas")
	m.fails(t, `{"api_key":"x","`+secret+`":"x"}`, "credential", "set", acme, "asaas")
	m.fails(t, secret+"\x01", "credential", "set", acme, "asaas")
	m.fails(t, secret, "credential", "set", acme, "correios")
	m.fails(t, secret, "credential", "set", "tenant_ghost", "asaas")
	m.mirror.set("asaas", modes()[0])
	m.fails(t, "", "send", acme, "--tool", "asaas__get_balance", "{}")
	m.must(t, "", "send", acme, "/call asaas__get_balance {}")
	m.mirror.clear("asaas")
	m.fails(t, "", "send", acme, "--tool", "asaas__rob_bank", "{}")
	m.publish(t, events.RequestsSubject(acme), `{"message":7}`)
	require.Eventually(t, func() bool { return strings.Contains(m.must(t, "", "dead", "list", "--json"), acme) }, patience, pace)
	require.Contains(t, m.must(t, "", "credential", "list", acme), "client_token")
	require.Contains(t, m.must(t, "", "vault", "audit", acme), "retrieve_balance")
	m.must(t, "", "vault", "rotate", acme, "--json")
	m.must(t, "", "send", acme, "--tool", "asaas__get_balance", "{}", "--json")
	for _, args := range [][]string{
		{"tail", acme},
		{"tail", loja, "--json"},
		{"tenant", "list"},
		{"tenant", "show", acme, "--json"},
		{"usage", acme},
		{"usage", acme, "--json"},
		{"vault", "audit", "--json"},
		{"queue"},
		{"credential", "list", acme, "--json"},
		{"config", "check"},
		{"dead", "list"},
	} {
		m.must(t, "", args...)
	}
}

// requireNothing scans all that was left.
func (m *market) requireNothing(t *testing.T) {
	t.Helper()
	// What is at home elsewhere, or not needed where a pair is renewed or is not.
	sent := without(m.secrets, "the broker's password", loja+"'s access_token", acme+"'s refresh_token", acme+"'s client_secret of melhor-envio")
	requireInTheOpen(t, sent, m.mirror.everything())
	bearers := m.mirror.bearers()
	require.Greater(t, len(bearers), 4)
	scanner, err := New(append(m.secrets, bearers...))
	require.NoError(t, err)
	finds, coverage, err := scanner.Folder(m.dir)
	require.NoError(t, err)
	if m.files != "" {
		more, also, err := scanner.Folder(m.files)
		require.NoError(t, err)
		require.Positive(t, also.Bytes)
		finds, coverage.Files, coverage.Bytes = append(finds, more...), coverage.Files+also.Files, coverage.Bytes+also.Bytes
		m.requireBooked(t)
	}
	for _, find := range finds {
		t.Error(find)
	}
	t.Logf("scanned %d files, %d KiB, for %d secrets", coverage.Files, coverage.Bytes>>10, len(m.secrets)+len(bearers))
	m.requireWritten(t)
}

// requireBooked: the files of Postgres tell of what was booked.
func (m *market) requireBooked(t *testing.T) {
	t.Helper()
	scanner, err := New([]Secret{{Name: "the name of a tool", Value: "retrieve_balance"}})
	require.NoError(t, err)
	finds, _, err := scanner.Folder(m.files)
	require.NoError(t, err)
	require.NotEmpty(t, finds)
}

// requireWritten: what was scanned is what there was to scan.
func (m *market) requireWritten(t *testing.T) {
	t.Helper()
	for name, words := range map[string]string{
		"said/scheduler.log": `"msg":"leading"`, "said/worker-1.log": `"level":"DEBUG"`, "said/worker-2.log": `"level":"DEBUG"`, "said/meter.log": `"msg"`,
		"said/test.log": `"msg"`, "said/tail.log": "feira.tool.returned.v1", "said/model.txt": "untrusted:",
		"dump/" + events.StreamSessions + ".txt": "[redacted]", "dump/" + events.StreamUsage + ".txt": "tool_call",
		"dump/KV_" + events.BucketVault + ".txt": acme + ".cred.asaas.test", "dump/KV_" + events.BucketTenants + ".txt": "z-api",
	} {
		text, err := os.ReadFile(m.file(filepath.FromSlash(name)))
		require.NoError(t, err)
		require.Contains(t, string(text), words, name)
	}
	tables, err := filepath.Glob(m.file("dump", "table-*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	blocks, err := filepath.Glob(m.file("nats", "jetstream", "*", "streams", "KV_"+events.BucketVault, "msgs", "*.blk"))
	require.NoError(t, err)
	require.NotEmpty(t, blocks, "the vault's ciphertext is on the disk")
	require.Positive(t, m.spans.Load(), "no trace was taken")
}
