package main

import (
	"bytes"
	"encoding/json"
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

func TestDemoServesIsolatesAndBills(t *testing.T) {
	t.Parallel()
	var out, timeline bytes.Buffer
	kept := filepath.Join(t.TempDir(), "kept")
	code := run(t.Context(), []string{"demo", "--json", "--model-key", "", "--keep", kept}, streams{in: strings.NewReader(""), out: &out, err: &timeline})
	require.Equal(t, exitOK, code, timeline.String())
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	var report demoReport
	require.NoError(t, decoder.Decode(&report))
	require.False(t, decoder.More(), "one object and nothing else")

	require.Equal(t, "offline", report.Model)
	require.Zero(t, report.Requests.Lost)
	require.Zero(t, report.Requests.Duplicated)
	require.Equal(t, report.Requests.Accepted, report.Requests.Completed)
	require.GreaterOrEqual(t, report.Isolation.Attempts, 6)
	require.Equal(t, report.Isolation.Attempts, report.Isolation.Refused)
	require.Len(t, report.Tenants, 2)
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

func decimal(t *testing.T, text string) *apd.Decimal {
	t.Helper()
	number, _, err := apd.NewFromString(text)
	require.NoError(t, err)
	return number
}
