package sandbox_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/sandbox"
)

func TestPartStress(t *testing.T) { //nolint:paralleltest // Stress counts goroutines.
	lifecycletest.Stress(t, func() lifecycle.Part {
		s, err := sandbox.New(sandbox.Config{})
		require.NoError(t, err)
		return s
	})
}

func TestStopGivesTheAddressBack(t *testing.T) {
	t.Parallel()
	first, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	addr := strings.TrimPrefix(strings.TrimSuffix(first.ModelURL(), "/model/v1"), "http://")

	_, err = sandbox.New(sandbox.Config{Addr: addr})
	require.Error(t, err, "the address is taken")

	require.NoError(t, first.Stop(t.Context()))
	second, err := sandbox.New(sandbox.Config{Addr: addr})
	require.NoError(t, err)
	require.NoError(t, second.Stop(t.Context()))
}

// A connection on which nothing was said does not hold up a stop.
func TestStopDoesNotWaitForSilentConnections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(strings.TrimSuffix(b.ModelURL(), "/model/v1"), "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	b.peer(t, "stripe", acme).ok(t, http.MethodGet, "/balance", "")
	began := time.Now()
	require.NoError(t, b.Stop(t.Context()))
	require.Less(t, time.Since(began), 4*time.Second)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := sandbox.New(sandbox.Config{
		Addr: "0.0.0.0:0", ModelLatency: -1, ModelContext: -1,
		Accounts: map[string][]sandbox.Account{"paypal": nil, "stripe": {{}}},
	})
	require.ErrorIs(t, err, sandbox.ErrConfig)
	for _, field := range []string{"addr", "paypal", "tenant is empty", "model_latency", "model_context"} {
		require.ErrorContains(t, err, field)
	}
}

func TestCredentialsFollowFromTheSeed(t *testing.T) {
	t.Parallel()
	prefixes := map[string][2]string{
		"stripe": {"secret_key", "sk_test_"}, "asaas": {"api_key", "$aact_hmlg_"}, "melhor-envio": {"access_token", "eyJ"},
		"correios": {"posting_card", "00"}, "nuvem-fiscal": {"client_id", ""}, "z-api": {"client_token", "F"},
	}
	for _, server := range sandbox.Servers() {
		one, err := sandbox.Credential("seed", server, acme)
		require.NoError(t, err)
		again, err := sandbox.Credential("seed", server, acme)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(one, again))
		require.True(t, strings.HasPrefix(one[prefixes[server][0]], prefixes[server][1]), one)
		for _, other := range [][2]string{{"seed", loja}, {"other", acme}} {
			differs, err := sandbox.Credential(other[0], server, other[1])
			require.NoError(t, err)
			for field := range one {
				require.NotEqual(t, one[field], differs[field], "%s of %s", field, server)
			}
		}
	}
	_, err := sandbox.Credential("seed", "paypal", acme)
	require.ErrorIs(t, err, sandbox.ErrUnknownServer)
}

func TestACredentialIsOneAccountsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Open("stripe", sandbox.Account{Tenant: "thief", Credential: b.credential(t, "stripe", acme)})
	require.Error(t, err)
	_, err = b.Open("stripe", sandbox.Account{Tenant: "empty", Credential: map[string]string{"key": "x"}})
	require.ErrorContains(t, err, "secret_key")
	_, err = b.Open("paypal", sandbox.Account{Tenant: acme})
	require.ErrorIs(t, err, sandbox.ErrUnknownServer)
}

// The same seed, clock and calls give the same answers, byte for byte.
func TestAnswersAreDeterministic(t *testing.T) {
	t.Parallel()
	run := func() []string {
		b := setup(t)
		stripe, melhor := b.peer(t, "stripe", acme), b.peer(t, "melhor-envio", loja)
		return []string{
			stripe.ok(t, http.MethodPost, "/customers", "name=Maria").raw,
			stripe.ok(t, http.MethodPost, "/payment_intents", "amount=15000&currency=brl").raw,
			melhor.ok(t, http.MethodPost, "/me/cart", shipment).raw,
		}
	}
	require.Empty(t, cmp.Diff(run(), run()))
}
