package app

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
)

func parsed(t require.TestingT, text string) *rating.Card {
	card, err := rating.Parse([]byte(text))
	require.NoError(t, err, text)
	return card
}

// plainCard prices a call, a thousand input tokens and a million output tokens.
func plainCard(version, from, head string, prices ...string) string {
	return fmt.Sprintf(`{"version":%q,"currency":"BRL","effective_from":%q,%s"prices":[`+
		`{"line":"calls","meter":"tool_call","unit":"call","unit_price":%q},`+
		`{"line":"in","meter":"model_reply","unit":"input_token","unit_price":%q,"per":1000},`+
		`{"line":"out","meter":"model_reply","unit":"output_token","unit_price":%q,"per":1000000}]}`, version, from, head, prices[0], prices[1], prices[2])
}

func TestTariffs(t *testing.T) {
	t.Parallel()
	standard, err := rating.Default()
	require.NoError(t, err)
	tiny := parsed(t, plainCard("v", "2026-01-01T00:00:00Z", "", "0.0000001", "1000", "1"))
	tiers := parsed(t, `{"version":"v","currency":"BRL","effective_from":"2026-01-01T00:00:00Z","prices":[`+
		`{"line":"calls","meter":"tool_call","unit":"call","included":"10","tiers":{"mode":"graduated","steps":[{"up_to":"5","unit_price":"0.1"},{"up_to":"9","unit_price":"0.3"},{"unit_price":"0.2"}]}},`+
		`{"line":"nfe","meter":"tool_call","unit":"call","server":"nuvem-fiscal","unit_price":"9"},`+
		`{"line":"in","meter":"model_reply","unit":"input_token","unit_price":"0"},{"line":"out","meter":"model_reply","unit":"output_token","unit_price":"0"}]}`)
	for name, test := range map[string]struct {
		card *rating.Card
		use  budget.Use
		want tenant.Amount
	}{
		"nothing":             {standard, budget.Use{}, 0},
		"a call":              {standard, budget.Use{Calls: 1}, 5_000},
		"an input token":      {standard, budget.Use{InputTokens: 1}, 15},
		"output tokens":       {standard, budget.Use{OutputTokens: 1_000_000}, tenant.Whole(60)},
		"all":                 {standard, budget.Use{Calls: 3, InputTokens: 2, OutputTokens: 1}, 15_090},
		"beyond all budgets":  {standard, budget.Use{Calls: math.MaxInt64, OutputTokens: math.MaxInt64}, tenant.Whole(tenant.MaxBudget)},
		"rounded up once":     {tiny, budget.Use{Calls: 11, InputTokens: 1}, 1_000_002},
		"of the dearest step": {tiers, budget.Use{Calls: 3}, 900_000},
	} {
		made, err := tariffOf(test.card)
		require.NoError(t, err, name)
		require.Equal(t, test.want, made.cost(test.use), name)
	}
	_, err = tariffOf(parsed(t, `{"version":"half","currency":"BRL","effective_from":"2026-01-01T00:00:00Z","prices":[`+
		`{"line":"calls","meter":"tool_call","unit":"call","unit_price":"1"}]}`))
	require.EqualError(t, err, "rate card half has no general price of model_reply input_token")
}

// A currency that the card is not in has no price.
func TestPricesAreInTheCardsCurrency(t *testing.T) {
	t.Parallel()
	set, err := oneCard(parsed(t, plainCard("v", "2026-01-01T00:00:00Z", "", "1", "0", "0")))
	require.NoError(t, err)
	prices := (&tariffs{set: set}).Of("acme")
	month := prices.Month(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	_, err = prices.Cost("USD", month, budget.Use{Calls: 1})
	require.EqualError(t, err, "rate card v is in BRL")
	cost, err := prices.Cost("BRL", month, budget.Use{Calls: 2})
	require.NoError(t, err)
	require.Equal(t, tenant.Whole(2), cost)
	_, err = prices.Cost("BRL", month.AddDate(-1, 0, 0), budget.Use{Calls: 1})
	require.ErrorIs(t, err, rating.ErrNoCard, "before the card")
}

// history is what a tenant used, and the cards that came while it did.
type history struct {
	cards rating.Cards
	facts []budget.Fact
}

func (h *history) apply(t *rapid.T, months []time.Time) {
	from := rapid.SampledFrom(months).Draw(t, "from").Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "hours")) * time.Hour)
	head := rapid.SampledFrom([]string{"", `"tenants":["acme"],`, `"tenants":["loja"],`, `"kind":"cost",`}).Draw(t, "whose")
	price := func(name string) string {
		return "0." + fmt.Sprintf("%04d", rapid.IntRange(0, 9999).Draw(t, name))
	}
	h.cards = append(h.cards, parsed(t, plainCard("v"+strconv.Itoa(len(h.cards)), from.Format(time.RFC3339), head, price("call"), price("in"), price("out"))))
}

// rated is what rating says of the facts since a moment, exactly, each month
// rounded up to a millionth.
func (h *history) rated(t *rapid.T, since time.Time, zone *time.Location) tenant.Amount {
	months := map[time.Time]budget.Use{}
	for _, fact := range h.facts {
		if !fact.At.Before(since) {
			month := usage.MonthOf(fact.At, zone).From
			used := months[month]
			used.Calls += fact.Use.Calls
			used.InputTokens += fact.Use.InputTokens
			used.OutputTokens += fact.Use.OutputTokens
			months[month] = used
		}
	}
	all := tenant.Amount(0)
	for month, used := range months {
		card, err := h.cards.At(month, rating.KindPrice, "acme")
		require.NoError(t, err)
		bill, err := rating.Rate(card, rating.Usage{Totals: usage.Totals{
			{Key: usage.Key{Meter: events.MeterToolCall, Unit: events.UnitCall, Server: "stripe", Tool: "pay", Billable: true}, Amount: usage.WholeAmount(used.Calls)},
			{Key: usage.Key{Meter: events.MeterModelReply, Unit: events.UnitInputToken, Model: "m", Billable: true}, Amount: usage.WholeAmount(used.InputTokens)},
			{Key: usage.Key{Meter: events.MeterModelReply, Unit: events.UnitOutputToken, Model: "m", Billable: true}, Amount: usage.WholeAmount(used.OutputTokens)},
		}})
		require.NoError(t, err)
		exact := new(big.Rat)
		for _, line := range bill.Lines {
			part, ok := new(big.Rat).SetString(money.Plain(line.Exact))
			require.True(t, ok)
			exact.Add(exact, part)
		}
		exact.Mul(exact, big.NewRat(1_000_000, 1))
		up := new(big.Int).Sub(exact.Denom(), big.NewInt(1))
		all += tenant.Amount(up.Add(up, exact.Num()).Div(up, exact.Denom()).Int64())
	}
	return all
}

// Whatever cards come, before, while or after a tenant uses something, and
// whoever leads, a budget has spent what rating says of the same use, to the
// millionth.
func TestBudgetsSpendWhatRatingSays(t *testing.T) {
	t.Parallel()
	zone, err := usage.Zone("")
	require.NoError(t, err)
	standard, err := rating.Default()
	require.NoError(t, err)
	customer := tenant.Tenant{ID: "acme", Servers: []string{"stripe"}, Budgets: []tenant.Budget{
		{Name: "all", Unit: tenant.UnitMoney, Currency: "BRL", Period: tenant.InTotal, Limit: tenant.Whole(1000), Reserve: 1},
		{Name: "month", Unit: tenant.UnitMoney, Currency: "BRL", Period: tenant.PerMonth, Zone: zone.String(), Limit: tenant.Whole(1000), Reserve: 1},
	}}.WithDefaults()
	months := []time.Time{}
	for n := range 4 {
		months = append(months, usage.MonthOf(time.Date(2026, time.Month(9+n), 9, 0, 0, 0, 0, zone), zone).From)
	}
	rapid.Check(t, func(t *rapid.T) {
		h := &history{cards: rating.Cards{standard}}
		source := &tariffs{set: &cardSet{cards: h.cards, zone: zone}}
		account, err := budget.New(customer, source.Of("acme"))
		require.NoError(t, err)
		now := months[0]
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0: // a card is applied
				h.apply(t, months)
				source.set = &cardSet{cards: h.cards, zone: zone}
				account.Reprice()
			case 1: // another leads
				state := account.Snapshot()
				account, err = budget.New(customer, source.Of("acme"))
				require.NoError(t, err)
				account.Restore(state)
			default:
				if now = now.Add(time.Duration(rapid.IntRange(0, 10*24).Draw(t, "hours")) * time.Hour); now.After(months[3]) {
					now = months[3]
				}
				place := uint64(len(h.facts) + 1)
				h.facts = append(h.facts, budget.Fact{Sequence: place, Request: place, Session: "s1", At: now, Use: budget.Use{
					Calls: rapid.Int64Range(0, 9).Draw(t, "calls"), InputTokens: rapid.Int64Range(0, 9999).Draw(t, "in"), OutputTokens: rapid.Int64Range(0, 9999).Draw(t, "out"),
				}})
				account.Settle(h.facts[place-1])
				account.Advance(place)
			}
			balances := account.Balances(now)
			require.Equal(t, h.rated(t, time.Time{}, zone), balances[0].Spent, "of all time")
			require.Equal(t, h.rated(t, usage.MonthOf(now, zone).From, zone), balances[1].Spent, "of the month")
		}
	})
}
