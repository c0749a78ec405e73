package app

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
)

// spendings lets the scheduler read what tenants spend from the log.
type spendings struct{ *bus.Log }

// Watch implements [scheduling.Facts].
func (s spendings) Watch(ctx context.Context, tenants []tenant.ID, after uint64, deliver func(batch []events.Record, through uint64, caughtUp bool) error) error {
	return s.Log.Watch(ctx, bus.WatchParams{
		Tenants: tenants, After: after,
		Types: []events.Type{events.TypeTurnStarted, events.TypeTurnCompleted, events.TypeBudgetReached},
	}, deliver)
}

// budgeting is what the scheduler needs for budgets.
func (k *kit) budgeting(ctx context.Context) (*scheduling.Budgeting, error) {
	prices, err := k.watchedPrices(ctx)
	if err != nil {
		return nil, err
	}
	return k.budgetingBy(ctx, prices)
}

func (k *kit) budgetingBy(ctx context.Context, prices *tariffs) (*scheduling.Budgeting, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	spend, err := kv.Spend(ctx)
	if err != nil {
		return nil, err
	}
	return &scheduling.Budgeting{Spend: spend, Facts: spendings{broker.Log()}, Prices: prices}, nil
}

// watchedPrices are what budgets of money count by: the card of the configuration
// alone where there is one, as rating has it, else the cards of the ledger, as
// they are copied to the broker: who grants runs knows no database.
func (k *kit) watchedPrices(ctx context.Context) (*tariffs, error) {
	if path := k.cfg.Ledger.RateCard; path != "" {
		card, err := readCard(path)
		if err != nil {
			return nil, err
		}
		set, err := oneCard(card)
		return &tariffs{set: set}, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	records, err := kv.Records(ctx, events.BucketRateCards)
	if err != nil {
		return nil, err
	}
	return &tariffs{records: records, copies: k.copies, log: k.log, set: noCards(errCardsUnknown), check: tariffCheck}, nil
}

// pricesNow are the same for whoever asks once.
func (k *kit) pricesNow(ctx context.Context) (*tariffs, error) {
	prices, err := k.watchedPrices(ctx)
	if err != nil || prices.records == nil {
		return prices, err
	}
	set, err := prices.snapshot(ctx)
	return &tariffs{set: set}, err
}

// Budgets tell how a tenant's budgets stand now by the log: from the last
// checkpoint, what has ended since then included.
func (o *Operator) Budgets(ctx context.Context, id tenant.ID) ([]budget.Balance, error) {
	customer, err := o.Tenant(ctx, id)
	if err != nil {
		return nil, err
	}
	return o.balances(ctx, customer)
}

// balances tell how the budgets that the customer has here stand.
func (o *Operator) balances(ctx context.Context, customer tenant.Tenant) ([]budget.Balance, error) {
	if len(customer.Budgets) == 0 {
		return nil, nil
	}
	prices, err := o.kit.pricesNow(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the budgets of %s: %w", customer.ID, err)
	}
	needs, err := o.kit.budgetingBy(ctx, prices)
	if err != nil {
		return nil, err
	}
	account, err := budget.New(customer, prices.Of(customer.ID))
	if err != nil {
		return nil, fmt.Errorf("reading the budgets of %s: %w", customer.ID, err)
	}
	if err := scheduling.CatchUp(ctx, needs, customer.ID, account); err != nil {
		return nil, fmt.Errorf("reading the budgets of %s: %w", customer.ID, err)
	}
	return account.Balances(o.kit.now()), nil
}
