package commerce_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/commerce"
)

const pix = `{"amount":19.90,"currency":"BRL","method":"pix","description":"x","buyer":{"name":"Maria","document":"529.982.247-25"}}`

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := commerce.New(commerce.Config{})
	for _, field := range []string{"Catalogue", "Provider", "Now"} {
		require.ErrorContains(t, err, field)
	}
}

// A meta-tool is offered where a server of the session can do it.
func TestToolsAreThoseThatTheReachCanServe(t *testing.T) {
	t.Parallel()
	own := "codespar_list_tools codespar_discover codespar_manage_connections"
	for servers, wanted := range map[string]string{
		"":                             own,
		"asaas":                        own + " codespar_charge codespar_pay",
		"stripe":                       own + " codespar_charge",
		"correios":                     own + " codespar_ship",
		"melhor-envio z-api":           own + " codespar_ship codespar_notify",
		"nuvem-fiscal elsewhere":       own + " codespar_invoice",
		"z-api asaas correios":         own + " codespar_charge codespar_pay codespar_ship codespar_notify",
		"stripe nuvem-fiscal correios": own + " codespar_charge codespar_invoice codespar_ship",
	} {
		b := setup(t, strings.Fields(servers)...)
		tools := b.market.Tools(t.Context(), b.call.Reach)
		var names []string
		for _, tool := range tools {
			if strings.HasPrefix(tool.Name, "codespar_") {
				names = append(names, tool.Name)
				require.True(t, json.Valid(tool.Parameters))
				require.LessOrEqual(t, len(tool.Name), 64)
			}
		}
		require.Equal(t, strings.Fields(wanted), names, servers)
		require.Equal(t, append([]agent.Tool{}, b.stand.Tools(t.Context(), b.call.Reach)...), tools[len(names):], "the others follow in their order")
		for _, name := range []string{"codespar_charge", "codespar_pay", "codespar_ship", "codespar_notify", "codespar_invoice", "codespar_none"} {
			_, known := b.market.Safety(t.Context(), b.call.Reach, agent.OwnServer, name)
			require.Equal(t, strings.Contains(" "+wanted+" ", " "+name+" "), known, name)
		}
	}
}

func TestTheRestIsPassedOn(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	safety, known := b.market.Safety(t.Context(), b.call.Reach, "asaas", "create_payment")
	require.True(t, known)
	require.Equal(t, agent.SafetyUnsafe, safety)
	call := b.call
	call.Server, call.Tool = "asaas", "create_payment"
	require.JSONEq(t, `{"id":"pay_1","status":"PENDING"}`, b.market.Call(t.Context(), call).Output)
	b.stand.lookup = func(agent.Call) (agent.Result, bool) {
		return agent.Result{Status: events.ToolOK, Output: "found"}, true
	}
	found, ok := b.market.Lookup(t.Context(), call)
	require.True(t, ok)
	require.Equal(t, "found", found.Output)
	_, ok = b.market.Lookup(t.Context(), b.call)
	require.False(t, ok)
	require.Equal(t, events.FaultUnknownTool, b.do(t, "codespar_none", `{}`).Fault.Code)
}

// Units at the limits: charge in major units, pay in minor ones.
func TestUnits(t *testing.T) {
	t.Parallel()
	for amount, wanted := range map[string]string{
		"0.01": "0.01", "19.9": "19.90", "1e2": "100.00", "999999.99": "999999.99", "19.900": "19.90", "5": "5.00",
		"0.001": "!MAJOR units", "19.901": "!MAJOR units", "0": "!/amount: has to be more than 0", "-1": "!/amount: has to be more than 0", "-1e30": "!/amount: has to be more than 0",
		"1000000": "!/amount: is more than BRL 999999.99", "999999.991": "!MAJOR units", "1e30": "!/amount: is more than", "1e9999": "!/amount: is a number out of range",
		`"19.90"`: "!/amount: want number, got string", strings.Repeat("1", 40): "!/amount: is a number out of range",
	} {
		b := setup(t, "asaas")
		result := b.do(t, "codespar_charge", strings.Replace(pix, "19.90", amount, 1))
		if message, refused := strings.CutPrefix(wanted, "!"); refused {
			require.Equal(t, events.ToolRefused, result.Status, amount)
			require.Equal(t, events.FaultInvalidArguments, result.Fault.Code)
			require.Contains(t, result.Fault.Message, message, amount)
			require.Empty(t, b.stand.sent)
			continue
		}
		require.Equal(t, events.ToolOK, result.Status, "%s %+v", amount, result.Fault)
		require.Contains(t, string(b.stand.sent[2].Arguments), `"value":`+wanted+`}`)
		require.Contains(t, result.Output, `"amount":`+wanted+`,`)
		require.Contains(t, string(b.stand.sent[2].Arguments), `"dueDate":"2026-03-04"`)
	}
	for amount, wanted := range map[string]string{
		"1": "0.01", "1990": "19.90", "1990.0": "19.90", "99999999": "999999.99", "5e2": "5.00",
		"19.90": "!MINOR units", "0.5": "!MINOR units", "0": "!/amount: has to be more than 0", "-1990": "!/amount: has to be more than 0", "100000000": "!/amount: is more than",
	} {
		b := setup(t, "asaas")
		result := b.do(t, "codespar_pay", `{"action":"pay","amount":`+amount+`,"currency":"BRL","description":"x","recipient":"a@b.co"}`)
		if message, refused := strings.CutPrefix(wanted, "!"); refused {
			require.Equal(t, events.ToolRefused, result.Status, amount)
			require.Contains(t, result.Fault.Message, message, amount)
			require.Empty(t, b.stand.sent)
			continue
		}
		require.Equal(t, events.ToolOK, result.Status, "%s %+v", amount, result.Fault)
		require.Contains(t, string(b.stand.sent[0].Arguments), `"value":`+wanted+`}`)
	}
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	for currency, wanted := range map[string]string{"USD": `"amount":1900`, "brl": `"amount":1900`, "JPY": `"amount":19,`, "XXX": "!/currency", "REAL": "!/currency: has to match"} {
		b := setup(t, "stripe")
		result := b.do(t, "codespar_charge", `{"amount":19,"currency":"`+currency+`","method":"card","description":"x","buyer":{"name":"Maria"}}`)
		if message, refused := strings.CutPrefix(wanted, "!"); refused {
			require.Contains(t, result.Fault.Message, message)
			continue
		}
		require.Contains(t, string(b.stand.sent[1].Arguments), wanted, currency)
	}
	b := setup(t, "asaas")
	require.Contains(t, b.do(t, "codespar_charge", strings.Replace(pix, "BRL", "USD", 1)).Fault.Message, "asaas: it charges in BRL alone")
}

// No meta-tool reaches a server that the session does not.
func TestWallsHoldInside(t *testing.T) {
	t.Parallel()
	b := setup(t, "stripe", "correios")
	for tool, arguments := range map[string]string{
		"codespar_pay":     `{"action":"pay","amount":1,"currency":"BRL","description":"x","recipient":"a@b.co"}`,
		"codespar_notify":  `{"channel":"whatsapp","to":"5511987654321","message":"x"}`,
		"codespar_invoice": `{"type":"nfse","action":"status","invoice_id":"x"}`,
	} {
		result := b.do(t, tool, arguments)
		require.Equal(t, events.ToolRefused, result.Status, tool)
		require.Equal(t, events.FaultServerNotInSession, result.Fault.Code)
		require.Contains(t, result.Fault.Message, "stripe, correios")
	}
	// A route does not open a wall.
	b.call.Reach.Tenant.Servers = append(b.call.Reach.Tenant.Servers, "asaas")
	b.call.Reach.Tenant.Routes.Charge.Card = "asaas"
	result := b.do(t, "codespar_charge", strings.Replace(pix, "pix", "card", 1))
	require.Equal(t, events.FaultServerNotInSession, result.Fault.Code)
	require.Empty(t, b.stand.sent)

	// Every step is in the session's environment, for its tenant, with a key of its own.
	b = setup(t, "asaas")
	require.Equal(t, events.ToolOK, b.do(t, "codespar_charge", pix).Status)
	keys := map[string]bool{}
	for _, step := range b.stand.sent {
		require.Equal(t, events.EnvironmentTest, step.Environment)
		require.Equal(t, b.call.Tenant, step.Tenant)
		require.Equal(t, b.call.Session, step.Session)
		require.Equal(t, "asaas", step.Server)
		require.Regexp(t, `^feira_[0-9a-f]{40}$`, step.Key)
		keys[step.Key] = true
	}
	require.Len(t, keys, 4)
	first := b.stand.sent
	b.stand.sent = nil
	require.Equal(t, events.ToolOK, b.do(t, "codespar_charge", pix).Status)
	for i, step := range b.stand.sent {
		require.Equal(t, first[i].Key, step.Key, "another try has the same keys")
	}

	// A step's tool that is gone is not sent.
	delete(b.stand.tools, "asaas__list_customers")
	b.stand.sent = nil
	gone := b.do(t, "codespar_charge", pix)
	require.Equal(t, events.FaultUnknownTool, gone.Fault.Code)
	require.Empty(t, b.stand.sent)
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	card := strings.Replace(pix, "pix", "card", 1)
	paged := strings.Replace(pix, `"buyer"`, `"success_url":"https://loja.example","buyer"`, 1)
	dollars := strings.Replace(card, "BRL", "USD", 1)
	for _, one := range []struct{ servers, pix, card, arguments, goes string }{
		{"asaas stripe", "", "", pix, "asaas"},
		{"stripe asaas", "", "", pix, "asaas"}, // Stripe shows no code without a page
		{"stripe asaas", "", "", paged, "stripe"},
		{"stripe asaas", "asaas", "", paged, "asaas"},
		{"asaas stripe", "", "", card, "asaas"},
		{"stripe asaas", "", "", card, "stripe"},
		{"asaas stripe", "asaas", "stripe", card, "stripe"},
		{"stripe asaas", "asaas", "asaas", card, "asaas"},
		{"asaas stripe", "", "", dollars, "stripe"},
		{"asaas stripe", "", "asaas", dollars, "!routes send this to asaas: it charges in BRL alone"},
		{"asaas stripe", "stripe", "", pix, "!routes send this to stripe: it takes pix on a page"},
		{"correios", "", "", pix, "!no server of this session can do it; it has correios"},
	} {
		b := setup(t, strings.Fields(one.servers)...)
		b.call.Reach.Tenant.Routes.Charge.Pix, b.call.Reach.Tenant.Routes.Charge.Card = one.pix, one.card
		result := b.do(t, "codespar_charge", one.arguments)
		if message, refused := strings.CutPrefix(one.goes, "!"); refused {
			require.Equal(t, events.ToolRefused, result.Status)
			require.Contains(t, result.Fault.Message, message)
			require.Empty(t, b.stand.sent)
			continue
		}
		require.Equal(t, events.ToolOK, result.Status, "%+v %+v", one, result.Fault)
		for _, step := range b.stand.sent {
			require.Equal(t, one.goes, step.Server, "%+v", one)
		}
	}
}

// A server that the tenant has lost since the session was opened is not replaced
// by another: what was begun there may have had its effect.
func TestAServerThatIsGoneIsNotReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", "stripe")
	b.call.Reach.Servers = []string{"stripe"}
	paged := strings.Replace(pix, `"buyer"`, `"success_url":"https://loja.example","buyer"`, 1)
	result := b.do(t, "codespar_charge", paged)
	require.Equal(t, events.ToolRefused, result.Status)
	require.Equal(t, events.FaultServerNotInSession, result.Fault.Code)
	require.Contains(t, result.Fault.Message, "this session sends it to asaas, which is not connected any more")
	require.Empty(t, b.stand.sent)
}

func TestRoutesAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", "stripe", "melhor-envio", "z-api", "nuvem-fiscal")
	customer := b.call.Reach.Tenant
	customer.Routes.Charge.Pix, customer.Routes.Charge.Card, customer.Routes.Pay = "asaas", "stripe", "asaas"
	customer.Routes.Ship, customer.Routes.Notify, customer.Routes.Invoice = "melhor-envio", "z-api", "nuvem-fiscal"
	require.NoError(t, commerce.CheckRoutes(customer))
	require.NoError(t, customer.Validate())
	customer.Routes.Pay, customer.Routes.Charge.Boleto = "stripe", "z-api"
	require.ErrorContains(t, commerce.CheckRoutes(customer), `routes.pay: "stripe" cannot do it; asaas can`)
	require.ErrorContains(t, commerce.CheckRoutes(customer), `routes.charge.boleto: "z-api" cannot do it; asaas, stripe can`)
	customer.Routes.Ship = "correios"
	require.ErrorContains(t, customer.Validate(), `routes.ship is "correios", which is none of the tenant's servers`)
}
