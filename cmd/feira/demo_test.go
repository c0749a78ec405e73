package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/app"
)

// demoReport is the contract of "feira demo --json", spelt out here so that a
// change of the code's own types shows.
type demoReport struct {
	Tenants []struct {
		ID        string   `json:"id"`
		Servers   []string `json:"servers"`
		Turns     int      `json:"turns"`
		ToolCalls []struct {
			Server  string `json:"server"`
			Tool    string `json:"tool"`
			Status  string `json:"status"`
			Session string `json:"session"`
		} `json:"tool_calls"`
		Usage struct {
			ToolCalls    int `json:"tool_calls"`
			InputTokens  int `json:"input_tokens"`
			OutputTokens int `json:"output_tokens"`
		} `json:"usage"`
		Bill struct {
			Currency string `json:"currency"`
			Total    string `json:"total"`
			Lines    []struct {
				Meter     string `json:"meter"`
				Quantity  string `json:"quantity"`
				UnitPrice string `json:"unit_price"`
				Amount    string `json:"amount"`
			} `json:"lines"`
		} `json:"bill"`
		Invoice app.DemoInvoice `json:"invoice"`
	} `json:"tenants"`
	Audit     app.DemoAudit `json:"audit"`
	Payment   demoPayment   `json:"payment"`
	Isolation struct {
		Attempts int `json:"attempts"`
		Refused  int `json:"refused"`
	} `json:"isolation"`
	Requests struct {
		Accepted   int `json:"accepted"`
		Completed  int `json:"completed"`
		Lost       int `json:"lost"`
		Duplicated int `json:"duplicated"`
	} `json:"requests"`
	Model string `json:"model"`
}

type demoPayment struct {
	Tenant     string `json:"tenant"`
	Session    string `json:"session"`
	Payment    string `json:"payment"`
	Sent       int    `json:"sent"`
	Recorded   int    `json:"recorded"`
	Turns      int    `json:"turns"`
	Shipments  int    `json:"shipments"`
	Messages   int    `json:"messages"`
	Webhooks   int    `json:"webhooks"`
	Deliveries []struct {
		ID     string `json:"id"`
		Event  string `json:"event"`
		Server string `json:"server"`
		Object string `json:"object"`
	} `json:"deliveries"`
	Missing    []string `json:"missing"`
	Unverified int      `json:"unverified"`
	Repeated   int      `json:"repeated"`
}

func TestDemoServesIsolatesAndBills(t *testing.T) {
	t.Parallel()
	var out, timeline bytes.Buffer
	kept := filepath.Join(t.TempDir(), "kept")
	code := run(t.Context(), []string{"demo", "--json", "--model-key", "", "--keep", kept}, streams{in: strings.NewReader(""), out: &out, err: &timeline})
	require.Equal(t, exitOK, code, timeline.String())
	requireReadme(t, out.Bytes())
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	var report demoReport
	require.NoError(t, decoder.Decode(&report))
	require.False(t, decoder.More(), "one object and nothing else")

	require.Equal(t, "offline", report.Model)
	require.Zero(t, report.Requests.Lost)
	require.Zero(t, report.Requests.Duplicated)
	require.Equal(t, report.Requests.Accepted, report.Requests.Completed)
	require.Equal(t, 10, report.Isolation.Attempts)
	require.Equal(t, report.Isolation.Attempts, report.Isolation.Refused)
	require.Len(t, report.Tenants, 2)
	requirePayment(t, report.Payment)
	for _, tenant := range report.Tenants {
		require.Len(t, tenant.ToolCalls, tenant.Usage.ToolCalls)
		require.Positive(t, tenant.Turns)
		used := map[string]bool{}
		for _, call := range tenant.ToolCalls {
			require.Contains(t, tenant.Servers, call.Server)
			require.NotEmpty(t, call.Session)
			used[call.Server] = true
		}
		require.Len(t, used, 3, "%s uses all of its servers", tenant.ID)
		require.Equal(t, "BRL", tenant.Bill.Currency)
		sum := apd.New(0, 0)
		for _, line := range tenant.Bill.Lines {
			_, err := apd.BaseContext.WithPrecision(30).Add(sum, sum, decimal(t, line.Amount))
			require.NoError(t, err)
		}
		require.Zero(t, sum.Cmp(decimal(t, tenant.Bill.Total)), "the lines of %s add up to %s, the total is %s", tenant.ID, sum, tenant.Bill.Total)
		require.Positive(t, sum.Sign())

		require.Equal(t, tenant.Bill.Total, tenant.Invoice.Total)
		require.Len(t, tenant.Invoice.Lines, len(tenant.Bill.Lines))
		for _, line := range tenant.Invoice.Lines {
			require.Equal(t, line.Quantity, line.Traced)
			require.Positive(t, line.Events)
		}
		calls := billing(t, exitOK, filepath.Join(kept, "ledger.db"), "invoice", "show", tenant.ID, tenant.Invoice.ID, "--trace", "--line", "1")
		for _, call := range tenant.ToolCalls {
			require.Contains(t, calls, call.Server+"/"+call.Tool)
			require.Contains(t, calls, call.Session)
		}
	}
	require.True(t, report.Audit.OK)
	require.Zero(t, report.Audit.Differences)
	require.Equal(t, report.Audit.Events, report.Audit.Rows)
	require.Equal(t, 2, report.Audit.Invoices)
	require.Contains(t, timeline.String(), "offline model")
	require.Contains(t, timeline.String(), "stripe__create_payment_intent ok")
}

// requireReadme wants the README's sample to end as the demo does.
func requireReadme(t *testing.T, out []byte) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var told map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(out, &told))
	delete(told, "tenants") // money is written, and never read back
	rest, err := json.Marshal(told)
	require.NoError(t, err)
	var report app.DemoReport
	require.NoError(t, json.Unmarshal(rest, &report))
	var text strings.Builder
	writeReport(&text, report)
	_, ending, found := strings.Cut(text.String(), "requests: ")
	require.True(t, found)
	ending, _, _ = strings.Cut(ending, "model: ")
	require.Contains(t, string(readme), "requests: "+ending)
}

// requirePayment wants that a payment that was told twice was recorded and served
// once, and that the shop's endpoint heard of all of it.
func requirePayment(t *testing.T, paid demoPayment) {
	t.Helper()
	require.Equal(t, "tenant_loja", paid.Tenant)
	require.Regexp(t, "^pay_", paid.Payment)
	require.Equal(t, []int{2, 1, 1}, []int{paid.Sent, paid.Recorded, paid.Turns})
	require.Equal(t, []int{1, 2}, []int{paid.Shipments, paid.Messages})
	require.Empty(t, paid.Missing)
	require.Zero(t, paid.Unverified)
	heard, ids := map[string]int{}, map[string]bool{}
	for _, one := range paid.Deliveries {
		heard[one.Server+" "+one.Event]++
		ids[one.ID] = true
		if one.Event == "payment.confirmed" {
			require.Equal(t, paid.Payment, one.Object)
		}
	}
	require.Len(t, ids, len(paid.Deliveries), "each once")
	require.Equal(t, map[string]int{
		"asaas payment.updated": 1, "asaas payment.confirmed": 1, " turn.completed": 2,
		"melhor-envio shipment.updated": 3, "melhor-envio shipment.posted": 1, "z-api message.delivered": 4,
	}, heard)
	require.Equal(t, 11, paid.Webhooks, "one of them came twice")
}

func decimal(t *testing.T, text string) *apd.Decimal {
	t.Helper()
	number, _, err := apd.NewFromString(text)
	require.NoError(t, err)
	return number
}
