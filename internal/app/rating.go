package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

// cards are the rate cards that bill: the file of the configuration alone where
// there is one, else those applied to the ledger, and the default one.
func (o *Operator) cards(ctx context.Context, books *ledger.Ledger) (rating.Cards, error) {
	if path := o.kit.cfg.Ledger.RateCard; path != "" {
		card, err := readCard(path)
		return rating.Cards{card}, err
	}
	standard, err := rating.Default()
	if err != nil {
		return nil, err
	}
	cards := rating.Cards{standard}
	stored, err := books.Cards(ctx)
	if err != nil {
		return nil, err
	}
	for _, kept := range stored {
		card, err := rating.Parse(kept.Text)
		if err != nil {
			return nil, fmt.Errorf("reading the rate card %s: %w", kept.Version, err)
		}
		cards = append(cards, card)
	}
	return cards, nil
}

func readCard(path string) (*rating.Card, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading the rate card: %w", err)
	}
	card, err := rating.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading the rate card %s: %w", path, err)
	}
	return card, nil
}

// RateParams say whose usage is rated, and how.
type RateParams struct {
	Tenant events.TenantID
	Period usage.Period
	// Card prices; the one in force when it is nil.
	Card *rating.Card
}

// rate adds up a tenant's usage and prices it.
func (o *Operator) rate(ctx context.Context, books *ledger.Ledger, params RateParams) (rating.Usage, rating.Bill, error) {
	card := params.Card
	if card == nil {
		cards, err := o.cards(ctx, books)
		if err != nil {
			return rating.Usage{}, rating.Bill{}, err
		}
		if card, err = cards.At(params.Period.From, rating.KindPrice, params.Tenant); err != nil {
			return rating.Usage{}, rating.Bill{}, fmt.Errorf("rating usage of %s: %w", params.Tenant, err)
		}
	}
	var used rating.Usage
	var err error
	if meters := card.Each(); len(meters) > 0 {
		var taken usage.Snapshot
		taken, err = books.Snapshot(ctx, ledger.SnapshotParams{Tenant: params.Tenant, Period: params.Period, Each: meters})
		used = rating.Usage{Totals: taken.Totals, Charges: taken.Charges}
	} else {
		used.Totals, err = books.Totals(ctx, params.Tenant, params.Period)
	}
	if err != nil {
		return used, rating.Bill{}, fmt.Errorf("adding up usage of %s: %w", params.Tenant, err)
	}
	bill, err := rating.Rate(card, used)
	if err != nil {
		return used, rating.Bill{}, fmt.Errorf("rating usage of %s: %w", params.Tenant, err)
	}
	return used, bill, nil
}

// CardInfo is one rate card as it is listed.
type CardInfo struct {
	Version       string            `json:"version"`
	Kind          rating.Kind       `json:"kind"`
	Currency      string            `json:"currency"`
	EffectiveFrom time.Time         `json:"effective_from"`
	Tenants       []events.TenantID `json:"tenants,omitempty"`
	// Source is "default", "file" or "ledger".
	Source string `json:"source"`
	Text   string `json:"text,omitempty"`
}

// ErrUnknownCard occurs when a version is asked for that no rate card has.
var ErrUnknownCard = errors.New("there is no rate card of this version")

// ErrCardFile occurs when a card is applied though the configuration names a
// file, which alone bills.
var ErrCardFile = errors.New("the configuration names a rate card file, which alone bills (FEIRA_LEDGER_RATE_CARD)")

// AppliedCard is a card that the ledger has.
type AppliedCard struct {
	Card CardInfo `json:"card"`
	// Applied is false where it was there already.
	Applied bool `json:"applied"`
	// Copied says that whoever counts budgets of money has heard of it; Detail why
	// not. The meter's role makes up for it.
	Copied bool   `json:"copied"`
	Detail string `json:"detail,omitempty"`
	// Uncounted says why budgets of money cannot be counted by it.
	Uncounted string `json:"uncounted,omitempty"`
}

// ApplyCard checks a rate card and keeps it, then copies it to where budgets of
// money are counted. It is applied once the ledger has it, whatever becomes of
// the copy.
func (o *Operator) ApplyCard(ctx context.Context, path string) (AppliedCard, error) {
	if o.kit.cfg.Ledger.RateCard != "" {
		return AppliedCard{}, ErrCardFile
	}
	card, err := readCard(path)
	if err != nil {
		return AppliedCard{}, err
	}
	books, err := o.kit.books(ctx)
	if err != nil {
		return AppliedCard{}, err
	}
	done := AppliedCard{Card: cardInfo(card, "ledger")}
	if done.Applied, err = books.ApplyCard(ctx, card.Version, card.Text); err != nil {
		return AppliedCard{}, err
	}
	if card.Kind == rating.KindCost {
		done.Copied = true // nobody counts by it
		return done, nil
	}
	if _, err := tariffOf(card); err != nil {
		done.Uncounted = err.Error()
	}
	copier, err := o.kit.newCardCopy(ctx)
	if err == nil {
		_, err = copier.once(ctx)
	}
	if done.Copied = err == nil; err != nil {
		done.Detail = err.Error()
	}
	return done, nil
}

// Cards lists the rate cards, the text of each with them.
func (o *Operator) Cards(ctx context.Context) ([]CardInfo, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return nil, err
	}
	cards, err := o.cards(ctx, books)
	if err != nil {
		return nil, err
	}
	infos := make([]CardInfo, len(cards))
	for i, card := range cards {
		source := "ledger"
		switch {
		case o.kit.cfg.Ledger.RateCard != "":
			source = "file"
		case i == 0:
			source = "default"
		}
		infos[i] = cardInfo(card, source)
	}
	return infos, nil
}

func cardInfo(card *rating.Card, source string) CardInfo {
	return CardInfo{
		Version: card.Version, Kind: card.Kind, Currency: string(card.Currency), EffectiveFrom: card.EffectiveFrom,
		Tenants: card.Tenants, Source: source, Text: string(card.Text),
	}
}

// Trial is what a month would cost by a card that is not applied, beside what
// it costs by the one in force.
type Trial struct {
	Tenant  events.TenantID `json:"tenant"`
	Period  usage.Period    `json:"period"`
	Tried   rating.Bill     `json:"tried"`
	InForce rating.Bill     `json:"in_force"`
}

// TryCard rates a tenant's month by a card in a file and keeps nothing.
func (o *Operator) TryCard(ctx context.Context, path string, id events.TenantID, month string) (Trial, error) {
	card, err := readCard(path)
	if err != nil {
		return Trial{}, err
	}
	books, err := o.kit.books(ctx)
	if err != nil {
		return Trial{}, err
	}
	period, err := o.month(books, month)
	if err != nil {
		return Trial{}, err
	}
	trial := Trial{Tenant: id, Period: period}
	if _, trial.Tried, err = o.rate(ctx, books, RateParams{Tenant: id, Period: period, Card: card}); err != nil {
		return trial, err
	}
	_, trial.InForce, err = o.rate(ctx, books, RateParams{Tenant: id, Period: period})
	return trial, err
}

// month is the period of "2026-11", or the current one.
func (o *Operator) month(books *ledger.Ledger, text string) (usage.Period, error) {
	if text == "" {
		return usage.MonthOf(o.kit.now(), books.Zone()), nil
	}
	return usage.ParseMonth(text, books.Zone())
}
