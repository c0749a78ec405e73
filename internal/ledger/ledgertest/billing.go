package ledgertest

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

// Cards are a price of every kind, and what usage costs us.
func Cards(t require.TestingT) rating.Cards {
	var cards rating.Cards
	for _, text := range []string{`
version: prices
currency: BRL
effective_from: "2026-01-01T00:00:00-03:00"
minimum_fee: "1.00"
prices:
  - line: tool_calls
    meter: tool_call
    unit: call
    included: "2"
    tiers:
      mode: graduated
      steps: [{up_to: "5", unit_price: "0.335"}, {unit_price: "0.105"}]
  - {line: asaas, meter: tool_call, unit: call, server: asaas, unit_price: "0.495"}
  - {line: input_tokens, meter: model_reply, unit: input_token, unit_price: "15", per: 1000}
  - line: output_tokens
    meter: model_reply
    unit: output_token
    tiers:
      mode: volume
      steps: [{up_to: "100", unit_price: "0.015"}, {unit_price: "0.005"}]
  - {line: settled, meter: tool_call, unit: BRL, percentage: {rate: "0.99", minimum: "0.50", cap: "10"}}
`, `
version: costs
kind: cost
currency: USD
effective_from: "2026-01-01T00:00:00-03:00"
prices:
  - {line: tool_calls, meter: tool_call, unit: call, unit_price: "0.0012345"}
`} {
		card, err := rating.Parse([]byte(text))
		require.NoError(t, err)
		cards = append(cards, card)
	}
	return cards
}

// clock is a ledger's, put by the test.
type clock struct{ nanos atomic.Int64 }

func (c *clock) set(moment time.Time) { c.nanos.Store(moment.UnixNano()) }
func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()).UTC() }

// biller is a ledger that bills one tenant at a time.
type biller struct {
	book  *ledger.Ledger
	clock *clock
	cards rating.Cards
}

func newBiller(t *testing.T, newDatabase Func) *biller {
	t.Helper()
	made := &biller{clock: &clock{}, cards: Cards(t)}
	made.clock.set(Noon())
	made.book = newDatabase(t).Open(t, made.clock.now)
	t.Cleanup(func() { require.NoError(t, made.book.Close()) })
	return made
}

func (b *biller) params(t require.TestingT, tenant events.TenantID, month string) ledger.InvoiceParams {
	period, err := invoice.ParsePeriod(month, b.book.Zone())
	require.NoError(t, err)
	return ledger.InvoiceParams{Tenant: tenant, Environment: events.EnvironmentLive, Period: period, Cards: b.cards}
}

// bill invoices a month as soon as it may be.
func (b *biller) bill(t require.TestingT, tenant events.TenantID, month string) invoice.Invoice {
	params := b.params(t, tenant, month)
	b.clock.set(params.Period.To.Add(invoice.Grace))
	issued, first, err := b.book.Issue(background(t), params)
	require.NoError(t, err)
	require.True(t, first)
	return issued
}

// issue is bill between a preview and another try, which must be the same.
func (b *biller) issue(t require.TestingT, tenant events.TenantID, month string) invoice.Invoice {
	params := b.params(t, tenant, month)
	b.clock.set(params.Period.To.Add(invoice.Grace))
	before, state, err := b.book.Preview(background(t), params)
	require.NoError(t, err)
	require.Equal(t, invoice.StateClosed, state)
	issued := b.bill(t, tenant, month)
	require.Equal(t, document(t, before), document(t, issued), "rated twice")
	again, first, err := b.book.Issue(background(t), params)
	require.NoError(t, err)
	require.False(t, first)
	require.Equal(t, document(t, issued), document(t, again), "issued twice")
	b.requireBalanced(t, tenant)
	return issued
}

func (b *biller) requireAudited(t require.TestingT) {
	found, err := b.book.AuditBooks(background(t), b.cards)
	require.NoError(t, err)
	require.Empty(t, found.Findings)
}

// testAudit plants faults, one by one, and sees each of them found.
func testAudit(t *testing.T, newDatabase Func) {
	t.Helper()
	for name, row := range map[string]struct{ statement, check string }{
		"a row is gone":            {"DELETE FROM usage_rows WHERE number = 2", "numbers"},
		"an entry is changed":      {"UPDATE postings SET amount = '7' WHERE place = 0", "entries"},
		"an entry is gone":         {"DELETE FROM postings WHERE place > 0", "entries"},
		"a transaction is gone":    {"DELETE FROM postings", "invoice"},
		"a document is of another": {"UPDATE invoices SET document = (SELECT document FROM invoices WHERE tenant_id = 'loja') WHERE tenant_id = 'acme'", "invoice"},
		"a row counts for more":    {"UPDATE usage_rows SET quantities = '[{\"unit\":\"call\",\"amount\":\"5\"}]' WHERE meter = 'tool_call'", "period"},
		"a row is of another day":  {"UPDATE usage_rows SET occurred_at = occurred_at + 864000000000000 WHERE number = 1", "period"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := newDatabase(t)
			b := &biller{clock: &clock{}, cards: Cards(t)}
			b.book = database.Open(t, b.clock.now)
			t.Cleanup(func() { require.NoError(t, b.book.Close()) })
			b.clock.set(Noon())
			record(t, b.book, store([]events.Message{ToolCall(t, "acme", "ses_1", 0), ToolCall(t, "acme", "ses_1", 3), ModelReply(t, "acme", "ses_1", 1)}))
			b.issue(t, "acme", november)
			b.issue(t, "loja", november)
			database.Exec(t, row.statement)
			found, err := b.book.AuditBooks(t.Context(), b.cards)
			require.NoError(t, err)
			var checks []string
			for _, finding := range found.Findings {
				checks = append(checks, finding.Check)
			}
			require.Contains(t, checks, row.check, found.Findings)
		})
	}
}

func (b *biller) requireBalanced(t require.TestingT, tenant events.TenantID) {
	balances, err := b.book.Balances(background(t), tenant)
	require.NoError(t, err)
	sums, exact := map[money.Currency]*apd.Decimal{}, money.Exact()
	for _, balance := range balances {
		amount, _, err := apd.NewFromString(balance.Amount)
		require.NoError(t, err)
		if sums[balance.Currency] == nil {
			sums[balance.Currency] = new(apd.Decimal)
		}
		_, err = exact.Add(sums[balance.Currency], sums[balance.Currency], amount)
		require.NoError(t, err)
	}
	for currency, sum := range sums {
		require.True(t, sum.IsZero(), "%s %s", currency, sum)
	}
}

func document(t require.TestingT, issued invoice.Invoice) string {
	text, err := issued.JSON()
	require.NoError(t, err)
	return string(text)
}

// billed adds up what documents bill of a period, by line.
func billed(t require.TestingT, period string, documents ...invoice.Invoice) map[string]string {
	sums := map[string]*apd.Decimal{}
	exact := money.Exact()
	for _, issued := range documents {
		for _, line := range issued.Lines {
			if line.Period != period {
				continue
			}
			for name, text := range map[string]string{"quantity": line.Quantity, "amount": line.Amount} {
				key := line.Name + "/" + line.Server + "/" + line.Unit + " " + name
				amount, _, err := apd.NewFromString(text)
				require.NoError(t, err)
				if sums[key] == nil {
					sums[key] = new(apd.Decimal)
				}
				_, err = exact.Add(sums[key], sums[key], amount)
				require.NoError(t, err)
			}
		}
	}
	texts := map[string]string{}
	for key, sum := range sums {
		if !sum.IsZero() {
			texts[key] = money.Plain(sum)
		}
	}
	return texts
}

const (
	november = "2026-11"
	december = "2026-12"
	january  = "2027-01"
)

// testInvoices bills one market twice: as it happened, and however a broker may
// deliver it, a part of it after its period was invoiced.
func testInvoices(t *testing.T, newDatabase Func) {
	t.Helper()
	straight, crooked := newBiller(t, newDatabase), newBiller(t, newDatabase)
	var round atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		tenant := events.TenantID("t" + strconv.FormatInt(round.Add(1), 10))
		messages := market([]events.TenantID{tenant}).Draw(t, "market")
		late := 0
		if rapid.Bool().Draw(t, "delayed") {
			late = rapid.IntRange(0, len(messages)).Draw(t, "late")
		}
		sent := rapid.Permutation(messages).Draw(t, "sent")
		record(t, straight.book, store(messages))
		for _, batch := range deliveries(sent[late:]).Draw(t, "deliveries") {
			record(t, crooked.book, batch)
		}
		var wanted, got []invoice.Invoice
		wanted = append(wanted, straight.bill(t, tenant, november))
		got = append(got, crooked.bill(t, tenant, november))
		if late == 0 {
			require.Equal(t, document(t, wanted[0]), document(t, got[0]), "to the byte")
		}
		for _, batch := range deliveries(sent).Draw(t, "the rest, and all again") {
			record(t, crooked.book, batch)
		}
		for _, month := range []string{december, january} {
			wanted, got = append(wanted, straight.bill(t, tenant, month)), append(got, crooked.bill(t, tenant, month))
		}
		for _, month := range []string{november, december, january} {
			require.Equal(t, billed(t, month, wanted...), billed(t, month, got...), month)
		}
		require.Equal(t, document(t, wanted[2]), document(t, got[2]), "nothing is left over")
	})
	requireVerified(t, crooked.book)
	straight.requireAudited(t)
	crooked.requireAudited(t)
}

// testLate goes through what may come after a period was invoiced.
func testLate(t *testing.T, newDatabase Func) {
	t.Helper()
	first, second := ToolCall(t, "acme", "ses_1", 0), ToolCall(t, "acme", "ses_1", 3) // asaas, 0.495 each
	tokens := ModelReply(t, "acme", "ses_1", 1)
	asaas := func(line invoice.Line) bool { return line.Name == "asaas" }
	fortyDays := ToolCall(t, "acme", "ses_1", 6)
	foreign := ToolCall(t, "acme", "ses_1", 6)
	foreign.Header.Set(events.HeaderTenant, "loja")
	for name, row := range map[string]struct {
		late     []events.Message
		received time.Duration // after the event; zero for at once
		quantity string        // of the adjustment; empty for none
		amount   string
		outcome  usage.Outcome
	}{
		"late":      {late: []events.Message{second}, quantity: "1", amount: "0.49", outcome: usage.Outcome{Inserted: 1}}, // 0.99 less 0.50
		"voided":    {late: []events.Message{Correct(t, first, "void")}, quantity: "-1", amount: "-0.50", outcome: usage.Outcome{Inserted: 1}},
		"corrected": {late: []events.Message{Correct(t, first, "adjust", call("3"))}, quantity: "2", amount: "0.98", outcome: usage.Outcome{Inserted: 1}}, // 1.485 is 1.48
		"late and voided": {
			late: []events.Message{Correct(t, second, "void"), second}, outcome: usage.Outcome{Inserted: 2},
		},
		"duplicated": {late: []events.Message{first}, outcome: usage.Outcome{Duplicates: 1}},
		"duplicated with other content": {
			late: []events.Message{contradict(t, first)}, outcome: usage.Outcome{Conflicts: 1},
		},
		"wrong tenant": {late: []events.Message{foreign}, outcome: usage.Outcome{Quarantined: 1}},
		"future-dated": {late: []events.Message{second}, received: -time.Hour, outcome: usage.Outcome{Quarantined: 1}},
		"35 days old":  {late: []events.Message{second}, received: usage.LateHorizon, quantity: "1", amount: "0.49", outcome: usage.Outcome{Inserted: 1}},
		"40 days old":  {late: []events.Message{fortyDays}, received: 40 * 24 * time.Hour, outcome: usage.Outcome{Quarantined: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBiller(t, newDatabase)
			record(t, b.book, store([]events.Message{first, tokens}))
			before := b.issue(t, "acme", november)
			late := store(row.late)
			for i := range late {
				late[i].Sequence += 100
				if row.received != 0 {
					late[i].Time = late[i].Time.Add(row.received - time.Second)
				}
			}
			require.Equal(t, row.outcome, record(t, b.book, late))
			kept, bytes, err := b.book.Invoice(t.Context(), "acme", before.ID)
			require.NoError(t, err)
			require.Equal(t, before, kept)
			require.Equal(t, document(t, before), string(bytes), "an issued invoice does not change")

			next := b.issue(t, "acme", december)
			var adjustments []invoice.Line
			for _, line := range next.Lines {
				if line.Kind == invoice.LineAdjustment && asaas(line) {
					adjustments = append(adjustments, line)
				}
			}
			if row.quantity == "" {
				require.Empty(t, adjustments)
			} else {
				require.Len(t, adjustments, 1)
				require.Equal(t, []string{november, row.quantity, row.amount}, []string{adjustments[0].Period, adjustments[0].Quantity, adjustments[0].Amount})
			}
			third := b.issue(t, "acme", january)
			for _, line := range third.Lines {
				require.NotEqual(t, invoice.LineAdjustment, line.Kind, "adjusted once")
			}
			requireVerified(t, b.book)
			b.requireAudited(t)
		})
	}
}

func testPeriodStates(t *testing.T, newDatabase Func) {
	t.Helper()
	b := newBiller(t, newDatabase)
	params := b.params(t, "acme", november)
	end := params.Period.To
	for moment, want := range map[time.Time]invoice.State{
		end.Add(-1): invoice.StateOpen, end: invoice.StateClosing, end.Add(invoice.Grace - 1): invoice.StateClosing, end.Add(invoice.Grace): invoice.StateClosed,
	} {
		b.clock.set(moment)
		_, state, err := b.book.Preview(t.Context(), params)
		require.NoError(t, err)
		require.Equal(t, want, state, moment)
		if want != invoice.StateClosed {
			_, _, err = b.book.Issue(t.Context(), params)
			require.ErrorIs(t, err, invoice.ErrNotClosed)
		}
	}
	b.issue(t, "acme", november)
	_, state, err := b.book.Preview(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, invoice.StateInvoiced, state)
	others, err := b.book.Invoices(t.Context(), "loja")
	require.NoError(t, err)
	require.Empty(t, others)
	_, _, err = b.book.Invoice(t.Context(), "loja", "INV-acme-2026-11")
	require.ErrorIs(t, err, ledger.ErrUnknownInvoice, "another tenant's")
}

// testCredit spends prepaid credit in order of expiry, expires the rest, and
// forgives.
func testCredit(t *testing.T, newDatabase Func) {
	t.Helper()
	b := newBiller(t, newDatabase)
	grant := func(id string, minor int64, expires time.Time) invoice.Grant {
		amount, err := money.New(minor, money.CurrencyBRL)
		require.NoError(t, err)
		return invoice.Grant{ID: id, Tenant: "acme", Amount: amount, GrantedAt: Noon(), ExpiresAt: expires}
	}
	end := b.params(t, "acme", november).Period.To
	dollars, err := money.New(1_000, money.CurrencyUSD)
	require.NoError(t, err)
	grants := []invoice.Grant{
		grant("never", 10_000, time.Time{}), grant("soon", 30, end), grant("past", 100, b.params(t, "acme", november).Period.From),
		{ID: "dollars", Tenant: "acme", Amount: dollars, GrantedAt: Noon()},
		grant("later", 50, end.AddDate(0, 1, 0)),
	}
	grants[2].GrantedAt = Noon().AddDate(0, -2, 0)
	for _, given := range grants {
		require.NoError(t, b.book.Grant(t.Context(), given))
		require.NoError(t, b.book.Grant(t.Context(), given), "once")
	}
	other := grants[0]
	other.Amount = dollars
	require.ErrorIs(t, b.book.Grant(t.Context(), other), ledger.ErrGrantExists)
	require.ErrorIs(t, b.book.Grant(t.Context(), invoice.Grant{ID: "x", Tenant: "acme"}), invoice.ErrInvalidGrant)
	b.requireBalanced(t, "acme")

	issued := b.issue(t, "acme", november) // the minimum fee, 1.00
	require.Equal(t, []invoice.Credit{{Grant: "soon", Amount: "0.30"}, {Grant: "later", Amount: "0.50"}, {Grant: "never", Amount: "0.20"}}, issued.Credits)
	require.Equal(t, "0.00", issued.Total)
	balances, err := b.book.Balances(t.Context(), "acme")
	require.NoError(t, err)
	require.Contains(t, balances, ledger.Balance{Account: invoice.AccountBreakage, Currency: money.CurrencyBRL, Amount: "-1"}, "the past one was never used")

	note := func(minor int64, reason string) (invoice.Invoice, error) {
		amount, err := money.New(minor, money.CurrencyBRL)
		require.NoError(t, err)
		return b.book.CreditNote(t.Context(), ledger.CreditNoteParams{Tenant: "acme", Invoice: issued.ID, Amount: amount, Reason: reason})
	}
	for _, refused := range []int64{0, -1, 101} {
		_, err := note(refused, "a fault of ours")
		require.ErrorIs(t, err, invoice.ErrCreditNote)
	}
	_, err = note(1, "")
	require.ErrorIs(t, err, invoice.ErrCreditNote)
	first, err := note(40, "a fault of ours")
	require.NoError(t, err)
	require.Equal(t, "-0.40", first.Total)
	_, err = note(61, "too much")
	require.ErrorIs(t, err, invoice.ErrCreditNote)
	second, err := note(60, "the rest")
	require.NoError(t, err)
	require.NotEqual(t, first.ID, second.ID)
	b.requireBalanced(t, "acme")
	next := b.issue(t, "acme", december)
	require.Len(t, next.Lines, 1, "a credit note is no usage: nothing is adjusted")
	b.requireAudited(t)
}

func testTrace(t *testing.T, newDatabase Func) {
	t.Helper()
	b := newBiller(t, newDatabase)
	record(t, b.book, store([]events.Message{
		ToolCall(t, "acme", "ses_1", 0), ToolCall(t, "acme", "ses_1", 1), ToolCall(t, "acme", "ses_2", 3), ToolCall(t, "loja", "ses_1", 0), ModelReply(t, "acme", "ses_1", 2),
	}))
	record(t, b.book, []events.Message{Correct(t, ToolCall(t, "acme", "ses_2", 3), "adjust", call("4"))})
	issued := b.issue(t, "acme", november)
	for _, line := range issued.Lines {
		var traced []ledger.TracedEvent
		err := b.book.Trace(t.Context(), ledger.TraceParams{Tenant: "acme", Invoice: issued.ID, Line: line.Number, Cards: b.cards}, func(event ledger.TracedEvent) error {
			traced = append(traced, event)
			return nil
		})
		require.NoError(t, err)
		var sum usage.Amount
		for _, event := range traced {
			sum, err = sum.Add(event.Quantity)
			require.NoError(t, err)
		}
		if line.Name != rating.LineMinimumFee {
			require.Equal(t, line.Quantity, sum.String(), line.Name)
		}
		if line.Name == "asaas" {
			require.Len(t, traced, 2)
		}
	}
	err := b.book.Trace(t.Context(), ledger.TraceParams{Tenant: "acme", Invoice: issued.ID, Line: 99}, nil)
	require.ErrorIs(t, err, ledger.ErrUnknownInvoice)
}
