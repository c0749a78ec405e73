package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// reads is a harmless path of each server.
func reads() map[string]string {
	return map[string]string{
		"stripe": "/balance", "asaas": "/finance/balance", "melhor-envio": "/me/balance", "z-api": "/status",
		"correios": "/cep/v2/enderecos/01310100", "nuvem-fiscal": "/cep/01310100",
	}
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refusals := map[string]int{"stripe": 401, "asaas": 401, "melhor-envio": 401, "z-api": 403, "correios": 401, "nuvem-fiscal": 401}
	for server, path := range reads() {
		good := b.peer(t, server, acme)
		good.ok(t, http.MethodGet, path, "")

		none := *good
		none.header = http.Header{}
		require.Equal(t, refusals[server], none.call(t, http.MethodGet, path, "").status, server)

		wrong := *good
		wrong.header = good.header.Clone()
		for name := range wrong.header {
			wrong.header.Set(name, wrong.header.Get(name)+"x")
		}
		require.Equal(t, refusals[server], wrong.call(t, http.MethodGet, path, "").status, server)
	}
}

func TestRefusalsAreWordedAsTheProviderDoes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	wrong := func(server, name, value string) answer {
		p := b.peer(t, server, acme)
		p.header.Set(name, value)
		return p.call(t, http.MethodGet, reads()[server], "")
	}
	stripe := wrong("stripe", "Authorization", "Bearer sk_test_0123456789abcdef")
	require.Equal(t, "invalid_request_error", stripe.text("error", "type"))
	require.NotContains(t, stripe.raw, "0123456789ab", "a key is not repeated")
	require.Contains(t, wrong("asaas", "Access_token", "$aact_hmlg_x").raw, "invalid_access_token")
	require.Contains(t, wrong("asaas", "Access_token", "$aact_prod_x").raw, "invalid_environment")
	require.Equal(t, "Unauthenticated.", wrong("melhor-envio", "Authorization", "Bearer x").text("message"))
	require.Contains(t, wrong("correios", "Authorization", "Bearer x").raw, "GTW-006")
	require.Equal(t, "Unauthorized", wrong("nuvem-fiscal", "Authorization", "Bearer x").text("error", "code"))

	p := b.peer(t, "z-api", acme)
	p.header.Del("Client-Token")
	require.Equal(t, "null not allowed", p.call(t, http.MethodGet, "/status", "").text("error"))
	mixed := b.peer(t, "z-api", acme)
	mixed.header = b.peer(t, "z-api", loja).header
	require.Equal(t, 403, mixed.call(t, http.MethodGet, "/status", "").status, "the client token of another account")

	silent := b.peer(t, "asaas", acme)
	require.Contains(t, silent.call(t, http.MethodGet, "/finance/balance", "", "User-Agent", "").raw, "user_agent_not_found")
}

func TestCorreiosTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fields := b.credential(t, "correios", acme)
	require.Equal(t, 401, b.correiosToken(t, fields, fields["user"]).status, "the user's number is not the card's")
	require.Equal(t, 400, b.correiosToken(t, fields, "").status)

	p := b.peer(t, "correios", acme)
	path := reads()["correios"]
	b.clock.advance(23 * time.Hour)
	p.ok(t, http.MethodGet, path, "")
	b.clock.advance(time.Hour)
	require.Equal(t, 401, p.call(t, http.MethodGet, path, "").status, "a token lives for a day")

	issued := b.correiosToken(t, fields, fields["posting_card"])
	expires, err := time.Parse("2006-01-02T15:04:05-07:00", issued.text("expiraEm")+issued.text("zoneOffset"))
	require.NoError(t, err)
	require.WithinDuration(t, b.clock.Now().Add(24*time.Hour), expires, time.Second)
}

func TestNuvemFiscalTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fields := b.credential(t, "nuvem-fiscal", acme)
	narrow := b.nuvemToken(t, fields, "cep")
	require.Equal(t, "2592000", narrow.text("expires_in"))
	p := b.peer(t, "nuvem-fiscal", acme)
	p.header.Set("Authorization", "Bearer "+narrow.text("access_token"))
	p.ok(t, http.MethodGet, "/cep/01310100", "")
	require.Equal(t, 403, p.call(t, http.MethodPost, "/nfe", "{}").status, "a scope that was not asked for")

	require.Equal(t, "invalid_scope", b.nuvemToken(t, fields, "everything").text("error"))
	require.Equal(t, "invalid_client", b.nuvemToken(t, b.credential(t, "asaas", acme), "").text("error"))
	b.clock.advance(30 * 24 * time.Hour)
	require.Equal(t, 401, p.call(t, http.MethodGet, "/cep/01310100", "").status)
}

// What one account made, the other cannot see, change or find in a list.
func TestAccountsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := func(server, path, body, id string) string {
		return b.peer(t, server, acme).ok(t, http.MethodPost, path, body).text(strings.Split(id, ".")...)
	}
	customer := made("stripe", "/customers", "name=Maria", "id")
	intent := made("stripe", "/payment_intents", "amount=500&currency=brl", "id")
	debtor := made("asaas", "/customers", `{"name":"Maria","cpfCnpj":"52998224725"}`, "id")
	order := made("melhor-envio", "/me/cart", shipment, "id")
	parcel := made("correios", "/prepostagem/v1/prepostagens", prepost, "id")
	document := made("nuvem-fiscal", "/nfe", invoice, "id")
	sent := made("z-api", "/send-text", `{"phone":"5511987654321","message":"hi"}`, "messageId")

	for _, try := range []struct{ server, method, path, body string }{
		{"stripe", "GET", "/customers/" + customer, ""},
		{"stripe", "GET", "/payment_intents/" + intent, ""},
		{"stripe", "POST", "/payment_intents/" + intent + "/cancel", ""},
		{"stripe", "POST", "/payment_intents", "amount=500&currency=brl&customer=" + customer},
		{"asaas", "GET", "/customers/" + debtor, ""},
		{"asaas", "POST", "/payments", `{"customer":"` + debtor + `","billingType":"PIX","value":10,"dueDate":"2026-03-09"}`},
		{"melhor-envio", "GET", "/me/orders/" + order, ""},
		{"melhor-envio", "POST", "/me/shipment/checkout", `{"orders":["` + order + `"]}`},
		{"correios", "GET", "/prepostagem/v1/prepostagens/" + parcel, ""},
		{"correios", "DELETE", "/prepostagem/v1/prepostagens/" + parcel, ""},
		{"nuvem-fiscal", "GET", "/nfe/" + document, ""},
		{"z-api", "POST", "/read-message", `{"phone":"5511987654321","messageId":"` + sent + `"}`},
	} {
		got := b.peer(t, try.server, loja).call(t, try.method, try.path, try.body)
		require.GreaterOrEqual(t, got.status, 400, "%v: %s", try, got.raw)
	}
	for server, path := range map[string]string{
		"stripe": "/payment_intents", "asaas": "/customers", "melhor-envio": "/me/orders", "correios": "/prepostagem/v1/prepostagens",
		"nuvem-fiscal": "/nfe", "z-api": "/messages/5511987654321",
	} {
		got := b.peer(t, server, loja).ok(t, http.MethodGet, path, "")
		require.NotContains(t, got.raw, `"id":`, "%s: %s", server, got.raw)
		require.NotContains(t, got.raw, `"messageId":`, "%s: %s", server, got.raw)
	}
	require.Zero(t, b.Journal().Count(journal.Filter{Account: loja}))
	require.Equal(t, 7, b.Journal().Count(journal.Filter{Account: acme}))
}
