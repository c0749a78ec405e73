package rating_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

func updateGolden() bool {
	found := flag.Lookup("update")
	return found != nil && found.Value.String() == "true"
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write golden files anew")
	flag.Parse()
	os.Exit(m.Run())
}

func amount(t require.TestingT, text string) usage.Amount {
	parsed, err := usage.ParseAmount(text)
	require.NoError(t, err)
	return parsed
}

func card(t require.TestingT, text string) *rating.Card {
	parsed, err := rating.Parse([]byte(text))
	require.NoError(t, err)
	return parsed
}

func calls(t require.TestingT, server, tool, quantity string) usage.Total {
	key := usage.Key{Meter: events.MeterToolCall, Unit: events.UnitCall, Server: server, Tool: tool, Billable: true, Environment: events.EnvironmentLive}
	return usage.Total{Key: key, Amount: amount(t, quantity)}
}

func tokens(t require.TestingT, model, unit, quantity string) usage.Total {
	key := usage.Key{Meter: events.MeterModelReply, Unit: unit, Model: model, Billable: true, Environment: events.EnvironmentLive}
	return usage.Total{Key: key, Amount: amount(t, quantity)}
}

func rate(card *rating.Card, totals usage.Totals) (rating.Bill, error) {
	return rating.Rate(card, rating.Usage{Totals: totals})
}

func amounts() *rapid.Generator[usage.Amount] {
	return rapid.Custom(func(t *rapid.T) usage.Amount {
		amount, err := usage.AmountOf(rapid.Int64Range(0, usage.MaxAmount-1).Draw(t, "whole"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano"))
		require.NoError(t, err)
		return amount
	})
}

func callCard(unitPrice string) string {
	return `{version: "1", currency: BRL, effective_from: "2026-01-01T00:00:00-03:00", prices: [
	{line: tool_calls, meter: tool_call, unit: call, unit_price: "` + unitPrice + `"}]}`
}

func TestRateRoundsOncePerLineHalfToEven(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ price, quantity, want string }{
		{"0.005", "1", "0.00"},
		{"0.015", "1", "0.02"},
		{"0.025", "1", "0.02"},
		{"0.035", "1", "0.04"},
		{"0.045", "1", "0.04"},
		{"0.0250000", "1", "0.02"},
		{"0.025000001", "1", "0.03"},
		{"0.024999999", "1", "0.02"},
		{"0.005", "3", "0.02"},
		{"0.001", "5", "0.00"},
		{"0.001", "15", "0.02"},
		{"1", "0.005", "0.00"},
		{"1", "0.015", "0.02"},
		{"9.995", "1", "10.00"},
		{"9.985", "1", "9.98"},
		{"0.000000001", "5000000", "0.00"},
		{"0.000000001", "5000001", "0.01"},
		{"0", "1000", "0.00"},
		{"9999999.999999999", "9999999.999999999", "99999999999999.98"},
	} {
		t.Run(row.price+"x"+row.quantity, func(t *testing.T) {
			t.Parallel()
			bill, err := rate(card(t, callCard(row.price)), usage.Totals{calls(t, "", "", row.quantity)})
			require.NoError(t, err)
			require.Len(t, bill.Lines, 1)
			require.Equal(t, row.want, bill.Lines[0].Amount.Text())
			require.Equal(t, row.want, bill.Total.Text())
		})
	}
}

// A thousand tools of half a centavo each are one line: rounding each of them
// would give nothing at all.
func TestRateSumsBeforeItRounds(t *testing.T) {
	t.Parallel()
	var totals usage.Totals
	for i := range 1000 {
		totals = append(totals, calls(t, "asaas", "tool_"+strconv.Itoa(i), "1"))
	}
	bill, err := rate(card(t, callCard("0.005")), totals)
	require.NoError(t, err)
	require.Equal(t, "5.00", bill.Total.Text())
}

func TestRateRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	most, err := usage.AmountOf(9_000_000_000_000_000_000, 0)
	require.NoError(t, err)
	total := calls(t, "", "", "1")
	total.Amount = most
	_, err = rate(card(t, callCard("1")), usage.Totals{total})
	require.ErrorIs(t, err, money.ErrOverflow)
	_, err = rate(card(t, callCard("0.000000001")), usage.Totals{total, total})
	require.ErrorIs(t, err, usage.ErrOverflow)
}

const splitCard = `
version: "2026-11"
currency: BRL
effective_from: "2026-11-01T00:00:00-03:00"
prices:
  - {line: tool_calls, meter: tool_call, unit: call, unit_price: "5", per: 1000, included: "100"}
  - {line: tool_calls, meter: tool_call, unit: call, server: nuvem-fiscal, unit_price: "0.12"}
  - {line: tool_calls, meter: tool_call, unit: call, server: nuvem-fiscal, tool: emit_nfe, unit_price: "0.35"}
  - {line: input_tokens, meter: model_reply, unit: input_token, unit_price: "15", per: 1000000}
  - {line: input_tokens, meter: model_reply, unit: input_token, model: large, unit_price: "45", per: 1000000}
  - {line: output_tokens, meter: model_reply, unit: output_token, unit_price: "60", per: 1000000}
`

func TestBillsMatchGoldenFiles(t *testing.T) {
	t.Parallel()
	standard, err := rating.Default()
	require.NoError(t, err)
	split := card(t, splitCard)
	refused := calls(t, "asaas", "create_payment", "12")
	refused.Billable = false
	storage := usage.Total{Key: usage.Key{Meter: "storage", Unit: "gib_hour", Billable: true}, Amount: amount(t, "7.25")}

	for name, bill := range map[string]struct {
		card   *rating.Card
		totals usage.Totals
	}{
		"empty":   {standard, nil},
		"refused": {standard, usage.Totals{refused}},
		"default": {standard, usage.Totals{
			calls(t, "asaas", "create_payment", "1234"), calls(t, "correios", "quote", "1"), refused,
			tokens(t, "small", events.UnitInputToken, "1234567"), tokens(t, "small", events.UnitOutputToken, "89012"),
		}},
		"zero_tokens": {standard, usage.Totals{calls(t, "stripe", "charge", "3"), tokens(t, "small", events.UnitOutputToken, "0")}},
		"split": {split, usage.Totals{
			calls(t, "asaas", "create_payment", "2100"), calls(t, "nuvem-fiscal", "emit_nfe", "3"), calls(t, "nuvem-fiscal", "cancel_nfe", "2"),
			tokens(t, "large", events.UnitInputToken, "1000000"), tokens(t, "small", events.UnitInputToken, "1000000"),
		}},
		"included": {split, usage.Totals{calls(t, "asaas", "create_payment", "60")}},
		"unpriced": {standard, usage.Totals{storage, calls(t, "asaas", "create_payment", "1000")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, err := rate(bill.card, bill.totals)
			require.NoError(t, err)
			got, err := json.MarshalIndent(made, "", "  ")
			require.NoError(t, err)
			got = append(got, '\n')
			file := filepath.Join("testdata", "bills", name+".json")
			if updateGolden() {
				require.NoError(t, os.WriteFile(file, got, 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

func totalsGenerator() *rapid.Generator[usage.Totals] {
	return rapid.Custom(func(t *rapid.T) usage.Totals {
		var totals usage.Totals
		for range rapid.IntRange(0, 30).Draw(t, "totals") {
			total := usage.Total{
				Key: usage.Key{
					Meter:       rapid.SampledFrom([]events.Meter{events.MeterToolCall, events.MeterModelReply, "storage"}).Draw(t, "meter"),
					Unit:        rapid.SampledFrom([]string{events.UnitCall, events.UnitInputToken, events.UnitOutputToken}).Draw(t, "unit"),
					Server:      rapid.SampledFrom([]string{"", "asaas", "nuvem-fiscal"}).Draw(t, "server"),
					Tool:        rapid.SampledFrom([]string{"", "emit_nfe", "quote"}).Draw(t, "tool"),
					Model:       rapid.SampledFrom([]string{"", "large", "small"}).Draw(t, "model"),
					Billable:    rapid.Bool().Draw(t, "billable"),
					Environment: events.EnvironmentLive,
				},
				Amount: amounts().Draw(t, "amount"),
			}
			totals = append(totals, total)
		}
		return totals
	})
}

func TestRateIsPure(t *testing.T) {
	t.Parallel()
	split := card(t, splitCard)
	rapid.Check(t, func(t *rapid.T) {
		totals := totalsGenerator().Draw(t, "totals")
		first, err := rate(split, totals)
		require.NoError(t, err)
		again, err := rate(split, totals)
		require.NoError(t, err)
		shuffled, err := rate(split, rapid.Permutation(totals).Draw(t, "order"))
		require.NoError(t, err)
		require.Equal(t, text(t, first), text(t, again), "rated twice")
		require.Equal(t, text(t, first), text(t, shuffled), "rated in another order")
	})
}

func text(t require.TestingT, bill rating.Bill) string {
	data, err := json.Marshal(bill)
	require.NoError(t, err)
	return string(data)
}

// Whatever the card, the total is the sum of the lines, a line's amount is
// within half a centavo of the exact product, and no billable unit is lost
// between totals, lines and what has no price.
func TestBillAddsUp(t *testing.T) {
	t.Parallel()
	split := card(t, splitCard)
	rapid.Check(t, func(t *rapid.T) {
		totals := totalsGenerator().Draw(t, "totals")
		bill, err := rate(split, totals)
		require.NoError(t, err)
		var minor int64
		var used, billed usage.Amount
		for _, total := range totals {
			if total.Billable {
				used, err = used.Add(total.Amount)
				require.NoError(t, err)
			}
		}
		for _, line := range bill.Lines {
			minor += line.Amount.Minor()
			billed, err = billed.Add(line.Quantity)
			require.NoError(t, err)
			requireWithinHalfACentavo(t, line)
		}
		for _, unpriced := range bill.Unpriced {
			billed, err = billed.Add(unpriced.Quantity)
			require.NoError(t, err)
		}
		require.Equal(t, minor, bill.Total.Minor())
		require.Equal(t, used, billed)
	})
}

func requireWithinHalfACentavo(t require.TestingT, line rating.Line) {
	decimal := func(text string) *apd.Decimal {
		parsed, _, err := apd.NewFromString(text)
		require.NoError(t, err)
		return parsed
	}
	context := apd.BaseContext.WithPrecision(100)
	charged, product, difference := new(apd.Decimal), new(apd.Decimal), new(apd.Decimal)
	_, err := context.Sub(charged, decimal(line.Quantity.String()), decimal(line.Included.String()))
	require.NoError(t, err)
	_, err = context.Mul(product, charged, decimal(string(line.UnitPrice)))
	require.NoError(t, err)
	_, err = context.Sub(difference, product, decimal(line.Amount.Text()))
	require.NoError(t, err)
	require.LessOrEqual(t, difference.Abs(difference).Cmp(decimal("0.005")), 0, "%+v", line)
}
