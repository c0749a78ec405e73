package chaos_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

const (
	meterDeaths = 10
	turnEvery   = 20 * time.Millisecond
)

// The meter is killed with -9 ten times while turns come and run, each time as
// soon as it has booked something: what the ledger has in the end are the facts of
// the log, to the unit, and nobody who compares the two finds a difference.
func TestKilledMeterBillsExactly(t *testing.T) {
	t.Parallel()
	for name, ledgerOf := range map[string]func(*testing.T) string{
		"SQLite":   func(*testing.T) string { return "" }, // the file in the data folder
		"Postgres": func(t *testing.T) string { t.Helper(); return testenv.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killMeters(t, ledgerOf(t))
		})
	}
}

func killMeters(t *testing.T, dsn string) {
	t.Helper()
	customers := []tenant.Tenant{{ID: "tenant_acme", Concurrency: 8}, {ID: "tenant_loja", Concurrency: 8}}
	m := setup(t, marketParams{tenants: customers})
	if dsn != "" {
		m.cfg.Ledger.DSN = config.Redacted(dsn)
		m.env = append(m.env, "FEIRA_LEDGER_DSN="+dsn)
	}
	operator := m.operator(t)
	m.leader(t)
	m.role(t, "worker", "--worker-slots", "16")
	asking, enough := context.WithCancel(t.Context())
	var asked int
	var crowd errgroup.Group
	crowd.Go(func() (err error) {
		asked, err = m.askUntil(asking, customers)
		return err
	})
	before := 0
	for range meterDeaths {
		meter := m.role(t, "meter")
		require.Eventually(t, func() bool { return booked(t, operator) > before }, patience, 10*time.Millisecond, "the meter books nothing")
		meter.Kill(t)
		before = booked(t, operator)
	}
	enough()
	require.NoError(t, crowd.Wait())
	m.requireDrained(t)
	m.role(t, "meter")

	truth, facts := m.truth(t)
	require.Equal(t, 3*asked, facts, "a turn makes three")
	require.Greater(t, facts, before)
	require.Eventually(t, func() bool { return booked(t, operator) >= facts }, patience, pace, "facts are not booked")
	audit, err := operator.AuditLedger(t.Context(), app.LedgerAuditParams{Patience: patience})
	require.NoError(t, err)
	require.True(t, audit.OK, "%+v", audit)
	require.Equal(t, facts, booked(t, operator))
	books := m.books(t)
	for customer, want := range truth {
		have := sums{}
		totals, err := books.Totals(t.Context(), customer, usage.Period{})
		require.NoError(t, err)
		for _, one := range totals {
			have[one.Unit] += one.Amount.Whole()
		}
		require.Equal(t, want, have, customer)
	}
	t.Logf("%d turns, %d facts, of which %d were booked by %d meters that were killed", asked, facts, before, meterDeaths)
}

// askUntil asks for turns by turns of the tenants until ctx ends, and returns how
// many.
func (m *market) askUntil(ctx context.Context, customers []tenant.Tenant) (asked int, err error) {
	tick := time.NewTicker(turnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return asked, nil
		case <-tick.C:
		}
		message, err := plain(events.RequestParams{Tenant: customers[asked%len(customers)].ID},
			events.Request{Message: `/call stripe__create_customer {"email": "buyer@example.com"}`})
		if err != nil {
			return asked, err
		}
		if _, err := m.js.PublishMsg(context.WithoutCancel(ctx), message); err != nil {
			return asked, err
		}
		asked++
	}
}

// sums are quantities by their units.
type sums map[string]int64

// truth is what the log says was used, and of how many facts.
func (m *market) truth(t *testing.T) (truth map[events.TenantID]sums, facts int) {
	t.Helper()
	truth = map[events.TenantID]sums{}
	for id := range m.caps {
		truth[id] = sums{}
	}
	for _, record := range m.log(t) {
		switch event := record.Event.(type) {
		case *events.ToolReturned:
			truth[record.Tenant][events.UnitCall]++
			facts++
		case *events.ModelReplied:
			truth[record.Tenant][events.UnitInputToken] += event.Usage.InputTokens
			truth[record.Tenant][events.UnitOutputToken] += event.Usage.OutputTokens
			facts++
		}
	}
	return truth, facts
}

// books opens the ledger of this world, until the test ends.
func (m *market) books(t *testing.T) *ledger.Ledger {
	t.Helper()
	at := ledger.Config{DSN: m.cfg.Ledger.DSN.Reveal()}
	if at.DSN == "" {
		at.Path = filepath.Join(m.cfg.DataDir, "ledger.db")
	}
	opened, err := ledger.Open(t.Context(), at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	return opened
}

// booked is how many rows the ledger has, which agrees with itself.
func booked(t *testing.T, operator *app.Operator) int {
	t.Helper()
	found, err := operator.VerifyLedger(t.Context())
	require.NoError(t, err)
	require.True(t, found.OK, "%+v", found)
	return found.Rows
}
