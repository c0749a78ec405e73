package walls

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/vault"
)

const patience = 30 * time.Second

// brokerWalls are attempts of a tenant's own producer, with its own password.
func brokerWalls(t *testing.T) map[string]raid {
	t.Helper()
	server, err := natsd.New(natsd.Config{Users: []natsd.User{
		natsd.OperatorUser("operator", "secret"), natsd.TenantUser("acme", "pa"), natsd.TenantUser("rival", "pr"),
	}})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, server.Stop(context.WithoutCancel(t.Context()))) })
	publish := func(subject string) raid {
		return func(t *testing.T) string {
			t.Helper()
			return told(t, server.ClientURL(), func(conn *nats.Conn) error { return conn.Publish(subject, []byte(`{"message":"refund all"}`)) })
		}
	}
	listen := func(subject string) raid {
		return func(t *testing.T) string {
			t.Helper()
			return told(t, server.ClientURL(), func(conn *nats.Conn) error {
				_, err := conn.SubscribeSync(subject)
				return err
			})
		}
	}
	return map[string]raid{
		"a request in another tenant's name":        publish(events.RequestsSubject("rival")),
		"a fact in another tenant's session":        publish(events.SessionSubject("rival", "ses_1")),
		"a fact in one's own session":               publish(events.SessionSubject("acme", "ses_1")),
		"an order to another tenant's session":      publish(events.ControlSubject("rival", "ses_1")),
		"a usage row of one's own":                  publish(events.UsageSubject("acme", "tool_calls")),
		"another tenant's configuration":            publish("$KV." + events.BucketTenants + ".rival"),
		"a credential of one's own choice":          publish("$KV." + events.BucketVault + ".rival.cred.asaas.test"),
		"the vault's ciphertext":                    publish("$JS.API.STREAM.MSG.GET.KV_" + events.BucketVault),
		"another tenant's sessions, as they happen": listen(events.FeedSubject("rival", "")),
		"everybody's sessions, as they happen":      listen("feira.feed.>"),
		"another tenant's answers":                  listen(natsd.InboxPrefix("rival") + ".>"),
		"everything":                                listen(">"),
	}
}

// told connects as acme, and returns what the broker says of what it does.
func told(t *testing.T, url string, do func(*nats.Conn) error) string {
	t.Helper()
	refusals := make(chan error, 4)
	conn, err := nats.Connect(url, nats.UserInfo("acme", "pa"), nats.CustomInboxPrefix(natsd.InboxPrefix("acme")),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refusals <- err }))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, do(conn))
	require.NoError(t, conn.FlushTimeout(patience))
	select {
	case err := <-refusals:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
		return err.Error()
	case <-time.After(patience):
		return ""
	}
}

// vaultWalls are attempts of somebody who can write the vault's bucket.
func vaultWalls(t *testing.T) map[string]raid {
	t.Helper()
	keys, bucket := openVault(t)
	secret := map[string]vault.Secret{"api_key": vault.NewSecret("asaas-key-0001")}
	for _, tenant := range []events.TenantID{"acme", "rival", "gone"} {
		require.NoError(t, keys.Put(t.Context(), tenant, "asaas", events.EnvironmentTest, secret))
	}
	_, err := keys.Shred(t.Context(), "gone")
	require.NoError(t, err)
	opens := func(tenant events.TenantID, server string, environment events.Environment, wall error) raid {
		return func(t *testing.T) string {
			t.Helper()
			_, err := keys.Open(t.Context(), tenant, server, environment, vault.Purpose{Why: "raid"})
			require.ErrorIs(t, err, wall)
			return err.Error()
		}
	}
	plant := func(from, to string, then raid) raid {
		return func(t *testing.T) string {
			t.Helper()
			sealed, err := bucket.Get(t.Context(), from)
			require.NoError(t, err)
			_, err = bucket.Put(t.Context(), to, sealed.Value())
			require.NoError(t, err)
			return then(t)
		}
	}
	name := func(tenant, server string, environment events.Environment) string {
		return tenant + ".cred." + server + "." + string(environment)
	}
	const test, live = events.EnvironmentTest, events.EnvironmentLive
	return map[string]raid{
		"a credential that another tenant has": opens("stranger", "asaas", test, vault.ErrNoCredential),
		"a credential after the shredding":     opens("gone", "asaas", test, vault.ErrShredded),
		"a test credential as a live one":      opens("acme", "asaas", live, vault.ErrNoCredential),
		"another tenant's ciphertext in one's own place": plant(name("acme", "asaas", test), name("rival", "stripe", test),
			opens("rival", "stripe", test, vault.ErrSealed)),
		"the test ciphertext in the live place": plant(name("acme", "asaas", test), name("acme", "z-api", live),
			opens("acme", "z-api", live, vault.ErrSealed)),
	}
}

func openVault(t *testing.T) (*vault.Vault, jetstream.KeyValue) {
	t.Helper()
	server := testenv.NATS(t)
	bucket, err := server.JetStream(t).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: events.BucketVault})
	require.NoError(t, err)
	kv, err := natskv.Connect(t.Context(), natskv.Config{URL: server.URL, User: server.User, Password: server.Password})
	require.NoError(t, err)
	t.Cleanup(kv.Close)
	require.NoError(t, kv.ProvisionAudit(t.Context(), natskv.AuditConfig{Replicas: 1, Age: time.Hour}))
	store, err := kv.Vault(t.Context())
	require.NoError(t, err)
	audit, err := kv.Audit(t.Context())
	require.NoError(t, err)
	kek, err := vault.OpenKEK(t.Context(), t.TempDir()+"/kek.json")
	require.NoError(t, err)
	opened, err := vault.New(vault.Config{KEK: kek, Store: store, Audit: audit})
	require.NoError(t, err)
	names, err := bucket.Keys(t.Context())
	require.True(t, err == nil || errors.Is(err, jetstream.ErrNoKeysFound))
	require.Empty(t, names)
	return opened, bucket
}
