package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/sandbox"
)

// balance has the agent's worker open the Stripe credential of tenant_acme.
func (b *testBundle) balance(t *testing.T) string {
	t.Helper()
	return b.feira(t, "", "send", "tenant_acme", "--tool", "stripe__retrieve_balance", "{}", "--json")
}

// A key's whole life against a running Feira: used, rotated, moved under
// another KEK, shredded, made anew; each on record, and no secret anywhere.
func TestTheVaultOverAKeysLife(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	require.Contains(t, b.balance(t), "livemode")

	rotated := b.feira(t, "", "vault", "rotate", "tenant_acme", "--json")
	require.Contains(t, rotated, `"rewrapped":3`)
	require.Contains(t, b.balance(t), "livemode", "the running worker reads on")
	require.Contains(t, b.feira(t, "", "vault", "rotate"), "tenant_loja")

	next := "file://" + filepath.Join(b.dir, "next.json")
	require.Contains(t, b.feira(t, "", "vault", "rotate", "tenant_loja", "--kek", next), next)
	require.Contains(t, b.fails(t, "vault", "rotate", "tenant_loja"), "said to be under")
	require.Contains(t, b.feira(t, "", "vault", "rotate", "--vault-other-keks", next), "tenant_loja", "as the first of several steps")

	require.Contains(t, b.fails(t, "vault", "shred", "tenant_acme"), "--yes")
	require.Contains(t, b.fails(t, "vault", "shred", "tenant_typo", "--yes"), "not registered")
	require.Contains(t, b.feira(t, "", "vault", "shred", "tenant_acme", "--yes"), "3 credentials")
	require.Contains(t, b.fails(t, "send", "tenant_acme", "--tool", "stripe__retrieve_balance", "{}"), "credential")
	b.sealOne(t, "tenant_acme", "stripe")
	require.Contains(t, b.balance(t), "livemode", "under a fresh keyset")

	text := b.feira(t, "", "vault", "audit", "tenant_acme")
	for _, word := range []string{"tool call", "retrieve_balance", "rewrap", "rotate", "shred", "hold, head"} {
		require.Contains(t, text, word)
	}
	head := strings.TrimSpace(text[strings.LastIndex(text, "head ")+len("head "):])
	require.Contains(t, b.feira(t, "", "vault", "audit", "--json"), head)
	b.feira(t, "", "vault", "audit", "tenant_acme", "--contains", head)
	require.Contains(t, b.fails(t, "vault", "audit", "tenant_acme", "--contains", strings.Repeat("0", 64)), "broken")
	require.Contains(t, b.feira(t, "", "vault", "audit", "tenant_acme", "--last", "1", "--json"), `"records":[{`)
	b.requireNoSecretStored(t)

	require.Contains(t, b.fails(t, "tenant", "delete", "tenant_acme"), "--yes")
	require.Contains(t, b.feira(t, "", "tenant", "delete", "tenant_acme", "--yes"), "deleted tenant_acme")
	require.NotContains(t, b.feira(t, "", "tenant", "list"), "tenant_acme")
	require.Contains(t, b.fails(t, "tenant", "delete", "tenant_acme", "--yes"), "not registered")
	require.Contains(t, b.feira(t, "", "vault", "audit", "tenant_acme"), "shred", "the record outlives the tenant")

	// A forged record makes the audit fail.
	js := b.jetStream(t)
	_, err := js.Publish(t.Context(), events.AuditSubject("tenant_acme"), []byte("forged\n"))
	require.NoError(t, err)
	require.Contains(t, b.fails(t, "vault", "audit", "tenant_acme"), "the audit chain is broken")
	require.Contains(t, b.fails(t, "vault", "audit"), "the audit chain is broken")
}

func (b *testBundle) sealOne(t *testing.T, tenant, server string) {
	t.Helper()
	fields, err := sandbox.Credential("feira", server, tenant)
	require.NoError(t, err)
	text, err := json.Marshal(fields)
	require.NoError(t, err)
	b.feira(t, string(text), "credential", "set", tenant, server)
}

func (b *testBundle) jetStream(t *testing.T) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(b.url)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

// requireNoSecretStored reads every message of every stream of the broker, the
// buckets' included.
func (b *testBundle) requireNoSecretStored(t *testing.T) {
	t.Helper()
	var canaries []string
	for tenant, servers := range map[string][]string{"tenant_acme": {"stripe", "correios", "nuvem-fiscal"}, "tenant_loja": {"asaas", "melhor-envio", "z-api"}} {
		for _, server := range servers {
			fields, err := sandbox.Credential("feira", server, tenant)
			require.NoError(t, err)
			for name, value := range fields {
				if strings.Contains(name, "key") || strings.Contains(name, "secret") || strings.Contains(name, "token") || strings.Contains(name, "code") {
					canaries = append(canaries, value)
				}
			}
		}
	}
	require.GreaterOrEqual(t, len(canaries), 6)
	js := b.jetStream(t)
	names := js.StreamNames(t.Context())
	seen := 0
	for name := range names.Name() {
		stream, err := js.Stream(t.Context(), name)
		require.NoError(t, err)
		state := stream.CachedInfo().State
		for sequence := state.FirstSeq; sequence <= state.LastSeq && state.Msgs > 0; sequence++ {
			message, err := stream.GetMsg(t.Context(), sequence)
			if err != nil {
				continue // removed
			}
			seen++
			for _, canary := range canaries {
				require.NotContains(t, string(message.Data), canary, name)
			}
		}
	}
	require.NoError(t, names.Err())
	require.Greater(t, seen, 20)
}
