package invoice_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write golden files anew")
	flag.Parse()
	os.Exit(m.Run())
}

const cardText = `
version: "2026-11"
currency: BRL
effective_from: "2026-11-01T00:00:00-03:00"
minimum_fee: "49.90"
prices:
  - line: tool_calls
    meter: tool_call
    unit: call
    included: "100"
    tiers: {mode: graduated, steps: [{up_to: "1000", unit_price: "0.015"}, {unit_price: "0.0075"}]}
  - {line: settled <b>, meter: settlement, unit: BRL, percentage: {rate: "0.99", minimum: "0.50", cap: "10"}}
`

func total(t *testing.T, meter events.Meter, unit, quantity string) usage.Total {
	t.Helper()
	amount, err := usage.ParseAmount(quantity)
	require.NoError(t, err)
	return usage.Total{Key: usage.Key{Meter: meter, Unit: unit, Billable: true, Environment: events.EnvironmentLive}, Amount: amount}
}

func snapshot(t *testing.T, calls string) usage.Snapshot {
	t.Helper()
	settled := total(t, "settlement", "BRL", "150")
	return usage.Snapshot{
		Totals:  usage.Totals{total(t, events.MeterToolCall, events.UnitCall, calls), settled, total(t, "storage", "gib_hour", "7.25")},
		Charges: usage.Charges{{Key: settled.Key, Amount: settled.Amount, Count: 1}},
		Rows:    3, Digest: "sha256:00",
	}
}

func params(t *testing.T, month, calls string) invoice.Params {
	t.Helper()
	zone, err := usage.Zone("")
	require.NoError(t, err)
	period, err := invoice.ParsePeriod(month, zone)
	require.NoError(t, err)
	card, err := rating.Parse([]byte(cardText))
	require.NoError(t, err)
	return invoice.Params{
		Tenant: "acme", Environment: events.EnvironmentLive, IssuedAt: period.To.Add(invoice.Grace),
		Own: invoice.Part{Period: period, Card: card, Usage: snapshot(t, calls)},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, got, 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// An invoice with every kind of line is the same bytes on every run and every
// machine, as JSON and as HTML.
func TestDocumentsMatchGoldenFiles(t *testing.T) {
	t.Parallel()
	first, err := invoice.Draft(params(t, "2026-11", "1500"))
	require.NoError(t, err)
	amount, err := money.New(1_000, money.CurrencyBRL)
	require.NoError(t, err)
	next := params(t, "2026-12", "50")
	changed := params(t, "2026-11", "1498").Own
	next.Others, next.Issued = []invoice.Part{changed}, []invoice.Invoice{first}
	next.Grants = []invoice.Grant{{ID: "pix-1", Tenant: "acme", Amount: amount, GrantedAt: next.Own.Period.From}}
	second, err := invoice.Draft(next)
	require.NoError(t, err)
	note, err := invoice.Note(invoice.NoteParams{Of: first, Amount: amount, Reason: "a fault of ours", IssuedAt: next.IssuedAt})
	require.NoError(t, err)
	for name, document := range map[string]invoice.Invoice{"invoice": first, "adjusted": second, "credit_note": note} {
		text, err := document.JSON()
		require.NoError(t, err)
		golden(t, name+".json", text)
		page, err := document.HTML()
		require.NoError(t, err)
		golden(t, name+".html", page)
		read, err := invoice.Parse(text)
		require.NoError(t, err)
		require.Equal(t, document, read, "what is read is what was written")
		booked, err := document.Transaction()
		require.NoError(t, err)
		require.NotEmpty(t, booked.Postings)
	}
}

func TestAdjustmentOfAnotherCurrencyIsRefused(t *testing.T) {
	t.Parallel()
	asked := params(t, "2026-12", "1")
	other := params(t, "2026-11", "1").Own
	card, err := rating.Parse([]byte(`{version: usd, currency: USD, effective_from: "2026-01-01T00:00:00Z", prices: [{line: x, meter: y, unit: z, unit_price: "1"}]}`))
	require.NoError(t, err)
	other.Card = card
	asked.Others = []invoice.Part{other}
	_, err = invoice.Draft(asked)
	require.ErrorIs(t, err, money.ErrCurrencyMismatch)
}

func TestTransactionsThatDoNotSumToZeroAreRefused(t *testing.T) {
	t.Parallel()
	posting := func(account invoice.Account, currency money.Currency, cents int64) invoice.Posting {
		return invoice.Posting{Account: account, Currency: currency, Amount: apd.New(cents, -2)}
	}
	for _, row := range []struct {
		postings []invoice.Posting
		fault    bool
	}{
		{nil, false},
		{[]invoice.Posting{posting(invoice.AccountCash, money.CurrencyBRL, 1), posting(invoice.AccountPrepaid, money.CurrencyBRL, -1)}, false},
		{[]invoice.Posting{posting(invoice.AccountCash, money.CurrencyBRL, 1), posting(invoice.AccountPrepaid, money.CurrencyBRL, -2)}, true},
		{[]invoice.Posting{posting(invoice.AccountCash, money.CurrencyBRL, 1), posting(invoice.AccountPrepaid, money.CurrencyUSD, -1)}, true},
	} {
		err := invoice.Transaction{Key: "x", Postings: row.postings}.Check()
		if row.fault {
			require.ErrorIs(t, err, invoice.ErrUnbalanced)
		} else {
			require.NoError(t, err)
		}
	}
}

func TestPeriodsHaveTheirNames(t *testing.T) {
	t.Parallel()
	zone, err := usage.Zone("")
	require.NoError(t, err)
	midnight := time.Date(2026, time.December, 1, 0, 0, 0, 0, zone)
	require.Equal(t, "2026-12", invoice.PeriodOf(midnight, zone).Name)
	require.Equal(t, "2026-11", invoice.PeriodOf(midnight.Add(-1), zone).Name)
	parsed, err := invoice.ParsePeriod("2026-11", zone)
	require.NoError(t, err)
	require.Equal(t, invoice.PeriodOf(midnight.Add(-1), zone), parsed)
	_, err = invoice.ParsePeriod("November", zone)
	require.ErrorIs(t, err, usage.ErrInvalidPeriod)
}

func TestSumsThatAreNotThoseOfTheLinesAreFound(t *testing.T) {
	t.Parallel()
	document, err := invoice.Draft(params(t, "2026-11", "1500"))
	require.NoError(t, err)
	require.NoError(t, document.Check())
	for name, spoil := range map[string]func(*invoice.Invoice){
		"total":    func(i *invoice.Invoice) { i.Total = "1.00" },
		"subtotal": func(i *invoice.Invoice) { i.Subtotal = "1.00" },
		"line":     func(i *invoice.Invoice) { i.Lines[0].Amount = "1.00" },
		"credit":   func(i *invoice.Invoice) { i.Credits = []invoice.Credit{{Grant: "x", Amount: "1.00"}} },
	} {
		spoilt := document
		spoilt.Lines = slices.Clone(document.Lines)
		spoil(&spoilt)
		require.ErrorIs(t, spoilt.Check(), invoice.ErrSum, name)
	}
}
