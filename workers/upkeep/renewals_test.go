package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/workers/upkeep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	before = 7 * 24 * time.Hour
	life   = 30 * 24 * time.Hour
)

// registry is accounts by tenant, and what renews them.
type registry struct {
	mu       sync.Mutex
	accounts map[events.TenantID]upkeep.Account
	renewed  []string // "<tenant> <since the start>"
	began    time.Time
	refuse   map[events.TenantID]error
	busy     int
	hold     time.Duration
	broken   error
}

func newRegistry() *registry {
	return &registry{accounts: map[events.TenantID]upkeep.Account{}, refuse: map[events.TenantID]error{}, began: time.Now()}
}

func (r *registry) add(tenant events.TenantID, left time.Duration) {
	ends := r.began.Add(left)
	r.accounts[tenant] = upkeep.Account{Tenant: tenant, Server: "melhor-envio", Environment: events.EnvironmentTest, Due: ends.Add(-before), Ends: ends}
}

func (r *registry) Renewable(_ context.Context, each func(upkeep.Account) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, account := range r.accounts {
		if err := each(account); err != nil {
			return err
		}
	}
	return r.broken
}

func (r *registry) Renew(_ context.Context, account upkeep.Account) error {
	r.mu.Lock()
	r.busy++
	if r.busy > 1 {
		panic("two at one time")
	}
	r.mu.Unlock()
	<-time.After(r.hold)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
	r.renewed = append(r.renewed, fmt.Sprintf("%s %s", account.Tenant, time.Since(r.began)))
	if err := r.refuse[account.Tenant]; err != nil {
		if errors.Is(err, upkeep.ErrRefused) {
			account.RefusedAt = time.Now()
			r.accounts[account.Tenant] = account
		}
		return err
	}
	account.RefusedAt = time.Time{}
	account.Ends = time.Now().Add(life)
	account.Due = account.Ends.Add(-before)
	r.accounts[account.Tenant] = account
	return nil
}

// run lets the part work for some time of the bubble.
func (r *registry) run(t *testing.T, length time.Duration) string {
	t.Helper()
	var logs bytes.Buffer
	part, err := upkeep.NewRenewals(upkeep.Config{Accounts: r, Renewer: r, Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	require.NoError(t, err)
	require.NoError(t, part.Start(t.Context()))
	<-time.After(length)
	require.NoError(t, part.Stop(t.Context()))
	return logs.String()
}

func TestIdleAccountsAreRenewedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry()
		r.add("late", -time.Minute)
		r.add("soon", time.Hour)
		r.add("at-the-time", before)
		r.add("an-hour-later", before+time.Hour)
		r.add("a-second-after-that", before+time.Hour+time.Second)
		r.accounts["unknown"] = upkeep.Account{Tenant: "unknown"}
		r.run(t, 2*time.Hour+time.Minute)
		require.Equal(t, []string{
			"unknown 0s", "late 1s", "soon 2s", "at-the-time 3s", "an-hour-later 1h0m0s", "a-second-after-that 2h0m0s",
		}, r.renewed)
	})
}

// For a year nobody uses the account.
func TestAnIdleAccountLivesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry()
		r.add("acme", life)
		r.run(t, 365*24*time.Hour)
		require.Len(t, r.renewed, 15, "every 23 days")
		require.True(t, time.Now().Add(before-2*time.Hour).Before(r.accounts["acme"].Ends))
	})
}

func TestARefusedAccountIsAPersonsMatter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry()
		r.add("acme", 50*time.Hour)
		r.add("loja", time.Hour)
		r.refuse["acme"] = fmt.Errorf("asking: %w", upkeep.ErrRefused)
		logs := r.run(t, 100*time.Hour)
		require.Equal(t, []string{"loja 0s", "acme 1s", "acme 25h0m0s", "acme 49h0m0s"}, r.renewed, "once a day, until its end")
		require.Contains(t, logs, "level=WARN msg=\"an account has to be connected again: its tokens are not renewed\" tenant=acme")
	})
}

func TestAFaultIsTriedAgainAtTheNextLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry()
		r.add("acme", time.Hour)
		r.refuse["acme"] = errors.New("the provider is down")
		logs := r.run(t, time.Hour+time.Minute)
		require.Equal(t, []string{"acme 0s", "acme 1h0m0s"}, r.renewed)
		require.Contains(t, logs, "tokens cannot be renewed just now")

		r.renewed, r.broken = nil, errors.New("the broker is away")
		logs = r.run(t, time.Minute)
		require.Contains(t, logs, "cannot all be listed")
		require.Len(t, r.renewed, 1, "what was listed is looked after")
	})
}

// A stop waits for the one in hand and begins no other.
func TestAStopWaitsForTheOneInHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry()
		r.hold = 30 * time.Second
		r.add("acme", time.Hour)
		r.add("loja", 2*time.Hour)
		r.run(t, 10*time.Second)
		require.Equal(t, []string{"acme 30s"}, r.renewed)
	})
}

func TestConfigNamesItsFaults(t *testing.T) {
	t.Parallel()
	_, err := upkeep.NewRenewals(upkeep.Config{Every: -1, Pace: -1, AskAgain: -1})
	for _, fault := range []string{"Accounts is missing", "Renewer is missing", "Every is negative", "Pace is negative", "AskAgain is negative"} {
		require.ErrorContains(t, err, "upkeep: renewals: "+fault)
	}
}

// It counts goroutines, which those of others would disturb: it is not parallel.
func TestRenewalsLiveAsPartsDo(t *testing.T) {
	lifecycletest.Stress(t, func() lifecycle.Part {
		part, err := upkeep.NewRenewals(upkeep.Config{Accounts: newRegistry(), Renewer: newRegistry()})
		require.NoError(t, err)
		return part
	})
}
