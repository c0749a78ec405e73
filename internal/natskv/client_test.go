package natskv_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]natskv.Config{
		"url is empty":                         {},
		"url is not nats://host:port":          {URL: "%zz"},
		"url holds credentials":                {URL: "nats://127.0.0.1:1,nats://user:hunter2@127.0.0.1:2"},
		"password has no user":                 {URL: "nats://127.0.0.1:1", Password: "hunter2"},
		"creds_file and user exclude each oth": {URL: "nats://127.0.0.1:1", User: "u", Password: "hunter2", CredsFile: "f"},
	} {
		_, err := natskv.Connect(t.Context(), config)
		require.ErrorIs(t, err, natskv.ErrConfig)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
	require.NoError(t, natskv.Config{URL: "nats://a:1, nats://b:2"}.Validate())
}

func TestConnectFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := natskv.Connect(t.Context(), natskv.Config{URL: b.server.URL, User: b.server.User, Password: "wrong"})
	require.ErrorIs(t, err, nats.ErrAuthorization)
	_, err = natskv.Connect(t.Context(), natskv.Config{URL: "nats://127.0.0.1:1"})
	require.ErrorIs(t, err, nats.ErrNoServers)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = natskv.Connect(ended, natskv.Config{URL: b.server.URL})
	require.ErrorIs(t, err, context.Canceled)
}

func TestMissingBucketIsNamed(t *testing.T) {
	t.Parallel()
	b := &bench{server: testenv.NATS(t), logs: &diary{}}
	client := b.client(t, "")
	_, tenants := client.Tenants(t.Context())
	_, vault := client.Vault(t.Context())
	_, lease := client.Lease(t.Context(), natskv.LeaseConfig{})
	for name, err := range map[string]error{events.BucketTenants: tenants, events.BucketVault: vault, events.BucketLeases: lease} {
		require.ErrorIs(t, err, natskv.ErrNoBucket)
		require.ErrorContains(t, err, name)
	}
}

func TestClientTellsTheServersVersion(t *testing.T) {
	t.Parallel()
	b := &bench{server: testenv.NATS(t), logs: &diary{}}
	require.Regexp(t, `^2\.\d+\.\d+`, b.client(t, "").ServerVersion())
}
