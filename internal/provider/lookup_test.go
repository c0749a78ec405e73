package provider

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestLookupFindsTheEffectByItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", answerWith(200, `{"data":[{"id":"cus_9","externalReference":"key-0001"}]}`), nil)
	result, ok := b.client.Lookup(t.Context(), b.request("create_customer", customerArgs))
	require.True(t, ok)
	require.Equal(t, events.ToolOK, result.Status)
	require.JSONEq(t, `{"id":"cus_9","externalReference":"key-0001"}`, result.Output)
	requests := b.requests()
	require.Len(t, requests, 1)
	require.Equal(t, http.MethodGet, requests[0].Method)
	require.Equal(t, "/base/customers", requests[0].Path)
	require.Equal(t, "externalReference=key-0001", requests[0].Query)
}

func TestLookupSaysAbsentOnlyOfAnEmptyListAndOnlyAfterLookingAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", answerWith(200, `{"data":[]}`), nil)
	result, ok := b.client.Lookup(t.Context(), b.request("create_customer", customerArgs))
	require.True(t, ok)
	requireFault(t, result, events.ToolError, events.FaultProviderError)
	require.Contains(t, result.Fault.Message, "no effect")
	require.Len(t, b.requests(), 3)
}

func TestLookupFindsWhatArrivesLate(t *testing.T) {
	t.Parallel()
	var looks atomic.Int32
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) {
		if looks.Add(1) == 1 {
			answerWith(200, `{"data":[]}`)(w, r)
			return
		}
		answerWith(200, `{"data":[{"id":"cus_9","externalReference":"key-0001"}]}`)(w, r)
	}, nil)
	result, ok := b.client.Lookup(t.Context(), b.request("create_customer", customerArgs))
	require.True(t, ok)
	require.Equal(t, events.ToolOK, result.Status)
}

func TestLookupSaysNothingItCannotKnow(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		server, tool, arguments string
		handler                 http.HandlerFunc
	}{
		"the provider did not filter": {"asaas", "create_customer", customerArgs, answerWith(200, `{"data":[{"id":"cus_1","externalReference":"other"}]}`)},
		"two carry the key":           {"asaas", "create_customer", customerArgs, answerWith(200, `{"data":[{"externalReference":"key-0001"},{"externalReference":"key-0001"}]}`)},
		"the caller's own reference":  {"asaas", "create_customer", `{"name":"A","cpfCnpj":"12345678909","externalReference":"mine"}`, answerWith(200, `{"data":[]}`)},
		"the provider fails":          {"asaas", "create_customer", customerArgs, answerWith(500, ``)},
		"the answer is no list":       {"asaas", "create_customer", customerArgs, answerWith(200, `{"data":{}}`)},
		"the answer is no JSON":       {"asaas", "create_customer", customerArgs, answerWith(200, `<html>`)},
		"no rule":                     {"asaas", "refund_payment", `{"id":"pay_1"}`, answerWith(200, `{"data":[]}`)},
		"absence proves nothing":      {"melhor-envio", "create_shipment", shipmentArgs, answerWith(200, `{"data":[]}`)},
		"arguments that do not fit":   {"asaas", "create_customer", `{}`, answerWith(200, `{"data":[]}`)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.server, test.handler, nil)
			_, ok := b.client.Lookup(t.Context(), b.request(test.tool, test.arguments))
			require.False(t, ok)
		})
	}
}

const shipmentArgs = `{"service":1,"from":{"name":"A","address":"R","city":"C","postal_code":"01001000"},"to":{"name":"B","address":"R","city":"C","postal_code":"50010000"},"products":[{"name":"x"}]}`

func TestLookupReadsATagAndFiltersByTheIssuer(t *testing.T) {
	t.Parallel()
	b := setup(t, "melhor-envio", answerWith(200, `{"data":[{"id":"o2","tags":[]},{"id":"o1","tags":[{"tag":"key-0001"}]}]}`), nil)
	result, ok := b.client.Lookup(t.Context(), b.request("create_shipment", shipmentArgs))
	require.True(t, ok)
	require.Contains(t, result.Output, `"o1"`)

	b = setup(t, "nuvem-fiscal", answerWith(200, `{"data":[{"id":"nfe_1","referencia":"key-0001"}]}`), nil)
	result, ok = b.client.Lookup(t.Context(), b.request("create_nfe", `{"infNFe":{"ide":{},"emit":{"CNPJ":"12345678000199"},"det":[{}],"total":{},"transp":{},"pag":{}}}`))
	require.True(t, ok)
	require.Contains(t, result.Output, "nfe_1")
	require.Equal(t, "ambiente=homologacao&cpf_cnpj=12345678000199&referencia=key-0001", b.requests()[0].Query)
}

func TestALongKeyIsFittedTheSameWayOnBothRoads(t *testing.T) {
	t.Parallel()
	var written string
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			written = r.URL.Query().Get("externalReference")
			answerWith(200, `{"data":[{"externalReference":"`+written+`"}]}`)(w, r)
			return
		}
		answerWith(200, `{}`)(w, r)
	}, nil)
	call := b.request("create_customer", customerArgs)
	call.Key = strings.Repeat("k", 300)
	require.Equal(t, events.ToolOK, b.client.Call(t.Context(), call).Status)
	result, ok := b.client.Lookup(t.Context(), call)
	require.True(t, ok)
	require.Equal(t, events.ToolOK, result.Status)
	require.Contains(t, b.requests()[0].Body, written)
	require.LessOrEqual(t, len(written), maxTraceKey)
}
