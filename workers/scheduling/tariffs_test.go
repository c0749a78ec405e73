package scheduling_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
)

// till is what a call costs each tenant, in millionths; nothing where nobody knows.
type till struct {
	mu      sync.Mutex
	prices  map[tenant.ID]int64
	changed []func()
}

func (c *till) set(id tenant.ID, price int64) {
	c.mu.Lock()
	c.prices[id] = price
	told := c.changed
	c.mu.Unlock()
	for _, changed := range told {
		changed()
	}
}

func (c *till) Of(id tenant.ID) budget.Prices { return tilled{till: c, id: id} }

func (c *till) Watch(ctx context.Context, changed func()) error {
	c.mu.Lock()
	c.changed = append(c.changed, changed)
	c.mu.Unlock()
	changed()
	<-ctx.Done()
	return nil
}

type tilled struct {
	till *till
	id   tenant.ID
}

var errNoPrice = errors.New("no card")

func (p tilled) Month(time.Time) time.Time { return time.Unix(0, 0) }

func (p tilled) Cost(_ string, _ time.Time, use budget.Use) (tenant.Amount, error) {
	p.till.mu.Lock()
	defer p.till.mu.Unlock()
	price, known := p.till.prices[p.id]
	if !known {
		return 0, errNoPrice
	}
	return tenant.Amount(price * use.Calls), nil
}

// priced registers a tenant that may spend one real, a tenth of it at a time.
func (s *shop) priced(id tenant.ID) {
	s.change(tenant.Tenant{ID: id, Servers: []string{"stripe"}, Concurrency: 8, Budgets: []tenant.Budget{{
		Name: "cash", Unit: tenant.UnitMoney, Currency: "BRL", Period: tenant.InTotal, Limit: tenant.Whole(1), Reserve: 100_000,
	}}}.WithDefaults())
}

func newTill(s *shop) *till {
	prices := &till{prices: map[tenant.ID]int64{}}
	s.budgets = &scheduling.Budgeting{Spend: s.budgets.Spend, Facts: s.budgets.Facts, Prices: prices}
	return prices
}

// A price that changes counts for what was used before it and decides what is
// granted next, of its own tenant alone; a scheduler that takes over counts the
// same.
func TestChangedPriceDecidesWhatIsGrantedNext(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1)
	prices := newTill(s)
	prices.set("acme", 100_000)
	prices.set("loja", 100_000)
	s.priced("acme")
	s.priced("loja")
	leader := s.scheduler(t, "one")
	s.pool(t, "w1", 8)
	s.ask(t, "acme", 3)
	s.ask(t, "loja", 3)
	s.requireTally(t, "acme", 3, 0)
	s.requireTally(t, "loja", 3, 0)
	prices.set("acme", 300_000)
	s.ask(t, "acme", 3) // 0.90 is spent: one more fits, and costs 0.30
	s.ask(t, "loja", 3)
	s.requireTally(t, "acme", 4, 2)
	s.requireTally(t, "loja", 6, 0)
	stop(t, leader)
	s.scheduler(t, "two")
	s.ask(t, "acme", 1)
	s.requireTally(t, "acme", 4, 3)
	prices.set("acme", 100_000) // 0.40
	s.ask(t, "acme", 7)
	s.ask(t, "loja", 5)
	s.requireTally(t, "acme", 10, 4)
	s.requireTally(t, "loja", 10, 1)
}

// While nobody knows what a tenant's calls cost nothing of it starts and nothing
// is refused: it waits, says that it is for its budget, and goes on once somebody
// knows. What others use is not in doubt.
func TestWithoutAPriceEverythingWaits(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1)
	prices := newTill(s)
	prices.set("loja", 100_000)
	s.priced("acme")
	s.priced("loja")
	s.scheduler(t, "leader")
	s.pool(t, "w1", 8)
	s.ask(t, "acme", 3)
	s.ask(t, "loja", 3)
	s.requireTally(t, "loja", 3, 0)
	require.Eventually(t, func() bool {
		told, err := s.bus.Asks().Queue(t.Context(), events.QueueAsked{Tenant: "acme"})
		return err == nil && len(told.Tenants) == 1 && told.Tenants[0].Waits == "budget" && told.Tenants[0].Queued == 3
	}, patience, pace)
	granted, refused, _ := s.tally(t, "acme")
	require.Zero(t, granted+refused)
	prices.set("acme", 100_000)
	s.requireTally(t, "acme", 3, 0)
}
