package commerce_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/commerce"
)

const (
	card   = `{"amount":10,"currency":"BRL","method":"card","description":"x","buyer":{"name":"Ana","email":"a@b.co"}}`
	hosted = `{"amount":10,"currency":"BRL","method":"card","description":"x","buyer":{"name":"Ana","email":"a@b.co"},"success_url":"https://a.co"}`
	out    = `{"action":"pay","amount":1000,"currency":"BRL","description":"x","recipient":"a@b.co"}`
)

// The references that are foretold are the keys that the recipes send, and the
// result says at which server.
func TestReferencesAreTheKeysThatAreSent(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ server, tool, arguments, makes string }{
		"charge at asaas":            {"asaas", "codespar_charge", pix, "create_payment"},
		"charge at stripe":           {"stripe", "codespar_charge", card, "create_payment_intent"},
		"charge on a page of stripe": {"stripe", "codespar_charge", hosted, "create_checkout_session"},
		"pay at asaas":               {"asaas", "codespar_pay", out, "create_transfer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, row.server)
			result := b.do(t, row.tool, row.arguments)
			require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
			require.Equal(t, row.server, result.Server)
			sent := b.stand.sent[slices.Index(b.stand.sentTo(), row.server+"__"+row.makes)]
			require.Contains(t, commerce.References(row.tool, b.call.Key), commerce.Reference{Server: row.server, Text: sent.Key})
		})
	}
	require.Empty(t, commerce.References("codespar_list_tools", "k"))
}

// What only looks has no effect anywhere.
func TestAToolThatReadsIsServedByNobody(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	require.Empty(t, b.do(t, "codespar_list_tools", `{}`).Server)
}

// A call of which nobody knows says where it may have had its effect.
func TestAnUnknownCallSaysWhere(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.stand.results["asaas__create_payment"] = failing(events.ToolUnknown, events.FaultOutcomeUnknown)
	require.Equal(t, "asaas", b.do(t, "codespar_charge", pix).Server)
}
