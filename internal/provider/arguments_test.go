package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/argument"
)

func TestArgumentsAreRefusedByFieldWithoutBeingEchoed(t *testing.T) {
	t.Parallel()
	const planted = "planted-value-77"
	tests := map[string]struct{ server, tool, arguments, want string }{
		"missing":       {"stripe", "create_payment_intent", `{"amount":1}`, "/: is missing currency"},
		"type":          {"stripe", "create_payment_intent", `{"amount":"` + planted + `","currency":"brl"}`, "/amount: want integer, got string"},
		"fraction":      {"stripe", "create_payment_intent", `{"amount":1.5,"currency":"brl"}`, "/amount: want integer"},
		"minimum":       {"stripe", "create_payment_intent", `{"amount":0,"currency":"brl"}`, "/amount: is less than 1"},
		"unknown":       {"asaas", "get_balance", `{"sk_live_4242abcd":1}`, "/: has no place for [redacted]"},
		"enum":          {"asaas", "create_payment", `{"customer":"cus_1","billingType":"` + planted + `","value":1,"dueDate":"2026-01-01"}`, "/billingType: want one of BOLETO, CREDIT_CARD, PIX"},
		"pattern":       {"correios", "find_cep", `{"cep":"` + planted + `"}`, "/cep: has to match ^[0-9]{8}$"},
		"date":          {"asaas", "create_payment", `{"customer":"cus_1","billingType":"PIX","value":1,"dueDate":"2026-02-30"}`, "/dueDate: is no date"},
		"cents":         {"asaas", "create_payment", `{"customer":"cus_1","billingType":"PIX","value":1.001,"dueDate":"2026-02-03"}`, "/value: does not fit"},
		"nested":        {"melhor-envio", "calculate_shipping", `{"from":{},"to":{"postal_code":"01001000"},"products":[{}]}`, "/from: is missing postal_code"},
		"list":          {"melhor-envio", "checkout_cart", `{"orders":[]}`, "/orders: has less than 1 elements"},
		"not an object": {"asaas", "get_balance", `["` + planted + `"]`, "want a JSON object"},
		"not JSON":      {"asaas", "get_balance", `{` + planted, "they are no JSON"},
		"two documents": {"asaas", "get_balance", `{} {}`, "they are no JSON"},
		"absurd number": {"stripe", "create_payment_intent", `{"amount":1e999999999,"currency":"brl"}`, "/amount: is a number out of range"},
		"long number":   {"stripe", "create_payment_intent", `{"amount":` + strings.Repeat("9", 5000) + `,"currency":"brl"}`, "/amount: is a number out of range"},
		"too many":      {"asaas", "list_payments", `{"customer":"` + strings.Repeat("x", argument.Max) + `"}`, "bytes, at most"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.server, answerWith(http.StatusOK, `{}`), nil)
			result := b.call(t, test.tool, test.arguments)
			requireFault(t, result, events.ToolRefused, events.FaultInvalidArguments)
			require.Contains(t, result.Fault.Message, test.want)
			require.NotContains(t, result.Fault.Message, planted)
			require.Zero(t, result.Attempts)
			require.Empty(t, b.requests())
		})
	}
}

func TestRefusalsBeforeSending(t *testing.T) {
	t.Parallel()
	sent := answerWith(http.StatusOK, `{}`)
	t.Run("unknown tool", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "asaas", sent, nil)
		requireFault(t, b.call(t, "steal", `{}`), events.ToolRefused, events.FaultUnknownTool)
		call := b.request("get_balance", `{}`)
		call.Server = "nobody"
		requireFault(t, b.client.Call(t.Context(), call), events.ToolRefused, events.FaultUnknownTool)
	})
	t.Run("no credential", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "asaas", sent, func(c *Config) {
			c.Credentials = opener(func(events.TenantID) (Credential, error) { return nil, ErrNoCredential })
		})
		requireFault(t, b.call(t, "get_balance", `{}`), events.ToolRefused, events.FaultNoCredential)
		require.Empty(t, b.requests())
	})
	t.Run("a vault that fails", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "asaas", sent, func(c *Config) {
			c.Credentials = opener(func(events.TenantID) (Credential, error) { return nil, errors.New("vault is down") })
		})
		requireFault(t, b.call(t, "get_balance", `{}`), events.ToolRefused, events.FaultNoCredential)
		require.Contains(t, b.logs.String(), "vault is down")
	})
	t.Run("an incomplete credential", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "z-api", sent, func(c *Config) { c.Credentials = fields{"instance_id": "x"} })
		requireFault(t, b.call(t, "get_status", `{}`), events.ToolRefused, events.FaultNoCredential)
		require.Empty(t, b.requests())
	})
	for server, wrong := range map[string]fields{"stripe": {"secret_key": "sk_live_abcdef"}, "asaas": {"api_key": "$aact_prod_abc"}} {
		t.Run("a live key in the test environment of "+server, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server, sent, func(c *Config) { c.Credentials = wrong })
			tool := map[string]string{"stripe": "retrieve_balance", "asaas": "get_balance"}[server]
			requireFault(t, b.call(t, tool, `{}`), events.ToolRefused, events.FaultNoCredential)
			require.Empty(t, b.requests())
		})
	}
	t.Run("a provider without a test environment", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "z-api", sent, func(c *Config) { c.BaseURLs = nil })
		requireFault(t, b.call(t, "get_status", `{}`), events.ToolRefused, events.FaultNoCredential)
	})
}

// TestNoArgumentChangesTheRoute uses a tool whose path argument the schema
// leaves free, so that only the client stands between argument and route.
func TestNoArgumentChangesTheRoute(t *testing.T) {
	t.Parallel()
	b := setup(t, "open", answerWith(http.StatusOK, `{}`), func(c *Config) {
		c.Credentials = fields{"key": "open-key-0001"}
		c.Manifests = []Manifest{openManifest()}
	})
	rapid.Check(t, func(r *rapid.T) {
		id := rapid.OneOf(
			rapid.String(), rapid.SampledFrom([]string{
				"", ".", "..", "../x", "a/b?c", "%2e%2e", "%2F", `a\b`, "a?b=c", "a#b", "a;b", "a b", "x\r\nHost: y", "//evil.example", "@evil.example", "é", "a&b",
			}),
		).Draw(r, "id")
		arguments, err := json.Marshal(map[string]string{"id": id})
		require.NoError(r, err)
		before := len(b.requests())
		result := b.client.Call(t.Context(), b.request("read", string(arguments)))
		requests := b.requests()[before:]
		if result.Status == events.ToolRefused {
			require.Empty(r, requests)
			return
		}
		require.Equal(r, events.ToolOK, result.Status, "%+v", result.Fault)
		require.Len(r, requests, 1)
		parts := strings.Split(requests[0].Path, "/")
		require.Len(r, parts, 5, requests[0].Path)
		require.Equal(r, []string{"", "base", "things"}, parts[:3])
		require.NotContains(r, []string{"", ".", ".."}, parts[3])
		require.Equal(r, "parts", parts[4])
		require.Empty(r, requests[0].Query)
	})
}

func openManifest() Manifest {
	return Manifest{
		ID: "open", Name: "Open", Body: EncodingJSON,
		BaseURLs:   map[events.Environment]string{events.EnvironmentLive: "https://open.example"},
		Credential: CredentialSpec{Fields: []CredentialField{{Name: "key", Secret: true}}},
		Auth:       Auth{Kind: AuthHeader, Headers: map[string]string{"X-Key": "{key}"}},
		Tools: []ToolSpec{{
			Name: "read", Description: "Reads a thing.", Safety: "read", Method: http.MethodGet, Path: "/things/{id}/parts",
			Parameters: json.RawMessage(`{"type":"object","additionalProperties":false,"required":["id"],"properties":{"id":{"type":"string"}}}`),
		}},
	}
}
