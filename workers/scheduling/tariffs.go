package scheduling

import (
	"context"

	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

// Tariffs are what use costs each tenant. Implementations are safe for concurrent
// use.
type Tariffs interface {
	// Of are a tenant's prices, as they are whenever they are asked; they belong to
	// one goroutine. Before any watch has told of prices nobody knows them.
	Of(id tenant.ID) budget.Prices
	// Watch keeps them up to date until ctx ends, and calls changed whenever they
	// may have changed, from one goroutine.
	Watch(ctx context.Context, changed func()) error
}

// prices are what the tenant's use costs.
func (l *leader) prices(id tenant.ID) budget.Prices {
	if l.cfg.Budgets == nil {
		return nil
	}
	return l.cfg.Budgets.prices(id)
}

func (b *Budgeting) prices(id tenant.ID) budget.Prices {
	if b.Prices == nil {
		return nil
	}
	return b.Prices.Of(id)
}

// watchTariffs has all accounts count anew whenever prices change. A standby does
// so too: it may lead next.
func (l *leader) watchTariffs(ctx context.Context) {
	if l.cfg.Budgets == nil || l.cfg.Budgets.Prices == nil {
		return
	}
	l.tasks.Go(func() {
		err := l.cfg.Budgets.Prices.Watch(ctx, func() { l.pass(ctx, func() { l.reprice(ctx) }) })
		if err != nil && ctx.Err() == nil {
			l.cfg.Logger.ErrorContext(ctx, "prices are not watched any more: budgets of money go on by those of now", "error", err)
		}
	})
}

// reprice has what was spent cost what it costs now, and looks again at those who
// wait: they may have room, or a price.
func (l *leader) reprice(ctx context.Context) {
	for _, a := range l.books.accounts {
		if a.Account == nil || !a.Counts(tenant.UnitMoney) {
			continue
		}
		a.Reprice()
		a.dirty, a.waits = true, false
		l.balance(a)
		l.announce(ctx, a)
	}
}
