package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

const billingCard = `
version: "test-1"
currency: BRL
effective_from: "2020-01-01T00:00:00-03:00"
prices:
  - line: tool_calls
    meter: tool_call
    unit: call
    tiers:
      mode: graduated
      steps: [{up_to: "1", unit_price: "0.105"}, {unit_price: "0.1"}]
`

// billing runs a command on a ledger and returns what it prints.
func billing(t *testing.T, code int, dsn string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, code, run(t.Context(), append([]string{"--ledger-dsn", dsn, "--nats-url", "nats://127.0.0.1:1"}, args...), streams{out: &out, err: &errs}), errs.String())
	return out.String() + errs.String()
}

// used is a ledger with three tool calls of a month ago, and that month.
func used(t *testing.T) (dsn, month string) {
	t.Helper()
	dsn = filepath.Join(t.TempDir(), "ledger.db")
	book, err := ledger.Open(t.Context(), ledger.Config{Path: dsn})
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	at := time.Now().UTC().AddDate(0, 0, -70)
	var messages []events.Message
	for index := range 3 {
		env, event, ok := usage.FromRecord(events.Record{
			Envelope: events.Envelope{ID: "call-" + string(rune('a'+index)), Tenant: "acme", Session: "ses_1", Request: "req_1", Time: at},
			Event:    &events.ToolReturned{Index: index, Server: "asaas", Tool: "create_payment", Status: events.ToolOK, Attempts: 1},
		}, usage.SessionFacts{Environment: events.EnvironmentLive})
		require.True(t, ok)
		message, err := events.Encode(events.UsageSubject("acme", event.Meter), env, event)
		require.NoError(t, err)
		messages = append(messages, message)
	}
	outcome, err := book.Record(t.Context(), usage.ReadBatch(messages))
	require.NoError(t, err)
	require.Equal(t, 3, outcome.Inserted)
	return dsn, invoice.PeriodOf(at, book.Zone()).Name
}

const costCard = `
version: "cost-1"
kind: cost
currency: BRL
effective_from: "2020-01-01T00:00:00-03:00"
prices: [{line: fees, meter: tool_call, unit: call, unit_price: "0.99"}]
`

// What usage costs us is another card than what it is sold for, and a tenant
// that costs more than it pays is warned of.
func TestMarginsAreOfTwoCards(t *testing.T) {
	t.Parallel()
	dsn, month := used(t)
	card := filepath.Join(t.TempDir(), "card.yaml")
	require.NoError(t, os.WriteFile(card, []byte(billingCard), 0o600))
	billing(t, exitOK, dsn, "ratecard", "apply", card)
	require.Contains(t, billing(t, exitFailed, dsn, "invoice", "margin", "--month", month), "of kind cost")
	require.NoError(t, os.WriteFile(card, []byte(costCard), 0o600))
	billing(t, exitOK, dsn, "ratecard", "apply", card)
	told := billing(t, exitOK, dsn, "invoice", "margin", "--month", month)
	require.Regexp(t, `acme +`+month+` +0.30 +2.97 +BRL -2.67`, told)
	require.Contains(t, told, "warning: acme costs more than it pays: BRL -2.67")
	require.NoError(t, os.WriteFile(card, []byte(strings.NewReplacer("0.99", "0.01", "cost-1", "cost-2", "2020", "2021").Replace(costCard)), 0o600))
	billing(t, exitOK, dsn, "ratecard", "apply", card)
	told = billing(t, exitOK, dsn, "invoice", "margin", "acme", "--month", month)
	require.Contains(t, told, "BRL 0.27")
	require.NotContains(t, told, "warning")
}

func TestBillingFromCardToTrace(t *testing.T) {
	t.Parallel()
	dsn, month := used(t)
	card := filepath.Join(t.TempDir(), "card.yaml")
	require.NoError(t, os.WriteFile(card, []byte(billingCard), 0o600))

	require.Contains(t, billing(t, exitOK, dsn, "ratecard", "try", card, "acme", "--month", month), "BRL 0.30")
	require.Contains(t, billing(t, exitOK, dsn, "ratecard", "show"), "default")
	applied := billing(t, exitOK, dsn, "ratecard", "apply", card)
	require.Contains(t, applied, "is applied")
	require.Contains(t, applied, "warning: budgets of money are not counted by it until the role meter has copied it", "there is no broker")
	require.Contains(t, billing(t, exitOK, dsn, "ratecard", "apply", card), "was applied before")
	require.Contains(t, billing(t, exitOK, dsn, "ratecard", "show", "test-1"), "mode: graduated")
	require.Contains(t, billing(t, exitFailed, dsn, "ratecard", "show", "test-2"), "no rate card")
	require.NoError(t, os.WriteFile(card, []byte(strings.ReplaceAll(billingCard, "0.105", "0.2")), 0o600))
	require.Contains(t, billing(t, exitFailed, dsn, "ratecard", "apply", card), "says something else")
	require.Contains(t, billing(t, exitFailed, dsn, "--ledger-rate-card", card, "ratecard", "apply", card), "FEIRA_LEDGER_RATE_CARD")

	require.Contains(t, billing(t, exitOK, dsn, "credit", "grant", "acme", "pix-1", "0.10"), "BRL 0.10")
	require.Contains(t, billing(t, exitFailed, dsn, "credit", "grant", "acme", "pix-2", "0.105"), "more than 2 digits")
	preview := billing(t, exitOK, dsn, "invoice", "preview", "acme", "--month", month)
	require.Contains(t, preview, "the period is closed")
	require.Contains(t, preview, "0.30")
	require.Contains(t, billing(t, exitFailed, dsn, "invoice", "issue", "acme"), "is open until")

	var issued struct{ Invoices []app.Issued }
	ledgerJSON(t, exitOK, &issued, "--ledger-dsn", dsn, "invoice", "issue", "--month", month)
	require.Len(t, issued.Invoices, 1)
	require.True(t, issued.Invoices[0].First)
	id := issued.Invoices[0].Invoice.ID
	require.Equal(t, "0.30", issued.Invoices[0].Invoice.Total, "the credit came after the period")
	shown := billing(t, exitOK, dsn, "invoice", "show", "acme", id, "--json")
	require.Equal(t, shown, billing(t, exitOK, dsn, "invoice", "show", "acme", id, "--json"))
	require.Contains(t, billing(t, exitOK, dsn, "invoice", "show", "acme", id, "--html"), "<td class=\"n\">0.30</td>")
	paper := billing(t, exitOK, dsn, "invoice", "show", "acme", id, "--pdf")
	require.True(t, strings.HasPrefix(paper, "%PDF-"))
	require.Equal(t, paper, billing(t, exitOK, dsn, "invoice", "show", "acme", id, "--pdf"))
	traced := billing(t, exitOK, dsn, "invoice", "show", "acme", id, "--trace")
	require.Equal(t, 3, strings.Count(traced, "asaas/create_payment"), traced)
	require.Contains(t, billing(t, exitFailed, dsn, "invoice", "show", "loja", id), "no such invoice")
	require.Contains(t, billing(t, exitOK, dsn, "invoice", "credit", "acme", id, "0.05", "--reason", "our fault"), "-0.05")
	listed := billing(t, exitOK, dsn, "invoice", "list", "acme")
	require.Contains(t, listed, id)
	require.Contains(t, listed, "CN-"+id+"-1")
	account := billing(t, exitOK, dsn, "credit", "show", "acme")
	require.Regexp(t, `receivable +BRL 0.25`, account)
	require.Regexp(t, `pix-1 +BRL 0.10 +0.10`, account)
}
