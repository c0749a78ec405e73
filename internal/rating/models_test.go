package rating_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

func cardOf(price string) string {
	return `{version: "1", currency: BRL, effective_from: "2026-01-01T00:00:00-03:00", prices: [
	{line: calls, meter: tool_call, ` + price + `}]}`
}

const (
	graduatedPrice = `unit: call, tiers: {mode: graduated, steps: [{up_to: "100", unit_price: "0.10"}, {up_to: "1000", unit_price: "0.05"}, {unit_price: "0.01"}]}`
	volumePrice    = `unit: call, tiers: {mode: volume, steps: [{up_to: "100", unit_price: "0.10"}, {up_to: "1000", unit_price: "0.05"}, {unit_price: "0.01"}]}`
)

func TestTiersAtTheirEdges(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ price, quantity, want string }{
		{graduatedPrice, "99", "9.90"},
		{graduatedPrice, "100", "10.00"},
		{graduatedPrice, "101", "10.05"},
		{graduatedPrice, "999", "54.95"},
		{graduatedPrice, "1000", "55.00"},
		{graduatedPrice, "1001", "55.01"},
		{graduatedPrice, "100.5", "10.02"}, // 10.025, half to even
		{volumePrice, "99", "9.90"},
		{volumePrice, "100", "10.00"},
		{volumePrice, "101", "5.05"},
		{volumePrice, "1000", "50.00"},
		{volumePrice, "1001", "10.01"},
		{volumePrice, "100.000000001", "5.00"},
		{strings.Replace(graduatedPrice, "unit: call", `unit: call, included: "50"`, 1), "50", "0.00"},
		{strings.Replace(graduatedPrice, "unit: call", `unit: call, included: "50"`, 1), "150", "10.00"},
		{strings.Replace(graduatedPrice, "unit: call", `unit: call, included: "50"`, 1), "151", "10.05"},
		{strings.Replace(volumePrice, "unit: call", `unit: call, per: 10`, 1), "100", "1.00"},
	} {
		bill, err := rate(card(t, cardOf(row.price)), usage.Totals{calls(t, "", "", row.quantity)})
		require.NoError(t, err)
		require.Equal(t, row.want, bill.Total.Text(), "%s of %s", row.quantity, row.price)
	}
}

// Graduated tiers never cost less for more, and their parts are the quantity.
func TestGraduatedTiersAddUp(t *testing.T) {
	t.Parallel()
	graduated := card(t, cardOf(graduatedPrice))
	rapid.Check(t, func(t *rapid.T) {
		less, more := amounts().Draw(t, "less"), amounts().Draw(t, "more")
		if _, err := more.Subtract(less); err != nil {
			less, more = more, less
		}
		key := calls(t, "", "", "1").Key
		small, err := rate(graduated, usage.Totals{{Key: key, Amount: less}})
		require.NoError(t, err)
		large, err := rate(graduated, usage.Totals{{Key: key, Amount: more}})
		require.NoError(t, err)
		require.LessOrEqual(t, small.Total.Minor(), large.Total.Minor())
		for _, line := range large.Lines {
			var sum usage.Amount
			for _, tier := range line.Tiers {
				sum, err = sum.Add(tier.Quantity)
				require.NoError(t, err)
			}
			require.Equal(t, line.Quantity, sum)
		}
	})
}

const percentagePrice = `unit: BRL, percentage: {rate: "0.99", minimum: "0.50", cap: "10"}`

func settled(t require.TestingT, amounts ...string) rating.Usage {
	key := usage.Key{Meter: events.MeterToolCall, Unit: "BRL", Billable: true, Environment: events.EnvironmentLive}
	tally, charges := usage.NewTally(), usage.NewChargeTally()
	for _, text := range amounts {
		row := usage.Row{
			Meter: key.Meter, Billable: true, Environment: key.Environment,
			Quantities: []usage.Quantity{{Unit: "BRL", Amount: amount(t, text)}},
		}
		require.NoError(t, tally.AddRow(row))
		charges.AddRow(row)
	}
	return rating.Usage{Totals: tally.Totals(), Charges: charges.Charges()}
}

func TestPercentageIsOfEachEvent(t *testing.T) {
	t.Parallel()
	percentage := card(t, cardOf(percentagePrice))
	require.Equal(t, []events.Meter{events.MeterToolCall}, percentage.Each())
	for _, row := range []struct {
		amounts []string
		want    string
	}{
		{[]string{"100"}, "0.99"},
		{[]string{"50.50"}, "0.50"},             // 0.49995 is below the minimum
		{[]string{"50.51"}, "0.50"},             // 0.500049 is above it, and rounds to it
		{[]string{"51"}, "0.50"},                // 0.5049
		{[]string{"52"}, "0.51"},                // 0.5148
		{[]string{"1010.10"}, "10.00"},          // 9.99999 is below the cap
		{[]string{"1010.11"}, "10.00"},          // 10.000089 is above it
		{[]string{"5000", "1", "100"}, "11.49"}, // the cap, the minimum, and neither
		{[]string{"10", "10", "10"}, "1.50"},    // thrice the minimum, not that of 30
		{[]string{"100.55", "100.55"}, "1.99"},  // 1.99089 in all: rounded once
	} {
		bill, err := rating.Rate(percentage, settled(t, row.amounts...))
		require.NoError(t, err)
		require.Equal(t, row.want, bill.Total.Text(), row.amounts)
		require.Equal(t, int64(len(row.amounts)), bill.Lines[0].Events)
	}
	used := settled(t, "100", "1")
	used.Charges = used.Charges[:1]
	_, err := rating.Rate(percentage, used)
	require.ErrorIs(t, err, rating.ErrChargesMissing)
	used.Charges = nil
	_, err = rating.Rate(percentage, used)
	require.ErrorIs(t, err, rating.ErrChargesMissing)
}

func TestMinimumFeeLiftsABill(t *testing.T) {
	t.Parallel()
	minimum := card(t, strings.Replace(callCard("0.01"), "prices:", `minimum_fee: "49.90", prices:`, 1))
	for quantity, want := range map[string]string{"0": "49.90", "1": "49.90", "4989": "49.90", "4990": "49.90", "4991": "49.91"} {
		bill, err := rate(minimum, usage.Totals{calls(t, "", "", quantity)})
		require.NoError(t, err)
		require.Equal(t, want, bill.Total.Text(), quantity)
		last := bill.Lines[len(bill.Lines)-1]
		require.Equal(t, quantity != "4990" && quantity != "4991", last.Meter == rating.LineMinimumFee)
	}
}

// What a line rounds away is its exact product less its amount, at most half a
// minor unit, whatever the price.
func TestEveryModelRoundsOnceToTheNearest(t *testing.T) {
	t.Parallel()
	cards := []*rating.Card{card(t, cardOf(graduatedPrice)), card(t, cardOf(volumePrice)), card(t, callCard("0.123456789")), card(t, cardOf(percentagePrice))}
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SampledFrom(cards).Draw(t, "card")
		used := settled(t, rapid.SliceOfN(rapid.Map(amounts(), usage.Amount.String), 1, 5).Draw(t, "amounts")...)
		for i := range used.Totals { // none where all that was drawn is nothing
			if len(drawn.Each()) == 0 {
				used.Totals[i].Unit = events.UnitCall
			}
		}
		bill, err := rating.Rate(drawn, used)
		require.NoError(t, err)
		for _, line := range bill.Lines {
			exact, ok := new(big.Rat).SetString(line.Exact.Text('f'))
			require.True(t, ok)
			rounded, ok := new(big.Rat).SetString(line.Amount.Text())
			require.True(t, ok)
			residue := exact.Sub(exact, rounded)
			require.LessOrEqual(t, residue.Abs(residue).Cmp(big.NewRat(1, 200)), 0, line)
		}
	})
}
