package dialogue_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/app"
)

// An invoice comes in the form that is asked for, the same bytes every time, and
// as JSON byte for byte as it was issued.
func TestInvoicesComeAsAskedFor(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	issued, err := b.Operator.IssueInvoices(t.Context(), app.InvoiceParams{Tenant: "tenant_acme", Month: "2026-08", Environment: events.EnvironmentTest})
	require.NoError(t, err)
	_, document, err := b.Operator.Invoice(t.Context(), "tenant_acme", issued[0].Invoice.ID)
	require.NoError(t, err)
	_, key := b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: []access.Scope{access.ScopeUsageRead}})
	ask := func(accept string) *Answer {
		text := "GET /v1/invoices/" + issued[0].Invoice.ID + "\nAuthorization: Bearer " + key + "\nAccept: " + accept + "\n\n"
		answer, err := Exchange(t.Context(), b.Address, text)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.Status, answer.Body)
		return answer
	}
	for accept, want := range map[string]struct{ kind, begins string }{
		"*/*":              {"application/json", "{"},
		"application/json": {"application/json", "{"},
		"text/html,*/*":    {"text/html; charset=utf-8", "<!DOCTYPE html>"},
		"application/pdf":  {"application/pdf", "%PDF-"},
	} {
		answer := ask(accept)
		require.Equal(t, want.kind, answer.Header.Get("Content-Type"))
		require.True(t, strings.HasPrefix(answer.Body, want.begins), accept)
		require.Equal(t, answer.Body, ask(accept).Body)
	}
	require.Equal(t, string(document), ask("application/json").Body)
}
