package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
)

// Margin is what is left of a tenant's month once providers and models are paid.
type Margin struct {
	Tenant events.TenantID `json:"tenant"`
	Period string          `json:"period"`
	// Price is by the card of kind price, Cost by that of kind cost. They are
	// two cards, and neither follows from the other.
	Price rating.Bill `json:"price"`
	Cost  rating.Bill `json:"cost"`
	// Margin is Price less Cost, where they are of one currency.
	Margin   money.Amount `json:"margin"`
	Currency string       `json:"currency"`
	// Negative: the tenant costs more than it pays.
	Negative bool `json:"negative"`
	// Uncosted is whether usage was billed or free of which no cost is known, so
	// that the margin is at most this.
	Uncosted bool `json:"uncosted"`
}

// ErrCurrencies occurs when price and cost are of unlike currencies: Feira knows
// no exchange rate.
var ErrCurrencies = errors.New("price and cost are of unlike currencies")

// Margins are those of one tenant, or of every tenant with usage in the month.
func (o *Operator) Margins(ctx context.Context, params InvoiceParams) ([]Margin, error) {
	return eachBilled(ctx, o, params, func(books *ledger.Ledger, asked ledger.InvoiceParams) (Margin, error) {
		margin, err := marginOf(ctx, books, asked)
		if err != nil {
			return Margin{}, fmt.Errorf("margin of %s: %w", asked.Tenant, err)
		}
		return margin, nil
	})
}

func marginOf(ctx context.Context, books *ledger.Ledger, asked ledger.InvoiceParams) (Margin, error) {
	margin := Margin{Tenant: asked.Tenant, Period: asked.Period.Name}
	var err error
	if margin.Price, err = rateBy(ctx, books, asked, rating.KindPrice); err != nil {
		return margin, err
	}
	if margin.Cost, err = rateBy(ctx, books, asked, rating.KindCost); err != nil {
		return margin, err
	}
	if margin.Price.Currency != margin.Cost.Currency {
		return margin, fmt.Errorf("%w: %s and %s", ErrCurrencies, margin.Price.Currency, margin.Cost.Currency)
	}
	margin.Currency = string(margin.Price.Currency)
	margin.Margin, err = margin.Price.Total.Add(margin.Cost.Total.Negate())
	margin.Negative, margin.Uncosted = margin.Margin.Minor() < 0, len(margin.Cost.Unpriced) > 0
	return margin, err
}

// rateBy rates a month by the card of a kind that is in force when it begins.
func rateBy(ctx context.Context, books *ledger.Ledger, asked ledger.InvoiceParams, kind rating.Kind) (rating.Bill, error) {
	card, err := asked.Cards.At(asked.Period.From, kind, asked.Tenant)
	if err != nil {
		return rating.Bill{}, err
	}
	taken, err := books.Snapshot(ctx, ledger.SnapshotParams{
		Tenant: asked.Tenant, Period: asked.Period.Period, Environment: asked.Environment, Each: card.Each(),
	})
	if err != nil {
		return rating.Bill{}, err
	}
	return rating.Rate(card, rating.Usage{Totals: taken.Totals, Charges: taken.Charges})
}
