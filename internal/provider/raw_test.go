package provider

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

func (b *testBundle) raw(t *testing.T, method, arguments string) agent.Result {
	t.Helper()
	call := b.request("proxy_"+method, arguments)
	call.Reach.Direct = true
	return b.client.Call(t.Context(), call)
}

func TestRawCallsOfEachServer(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]seen{
		"stripe":       {Path: "/base/things", Body: "a%5Bb%5D=1", Header: http.Header{"Authorization": {"Bearer stripe-key-0001"}, "Stripe-Version": {"2026-08-26.dahlia"}}},
		"asaas":        {Path: "/base/things", Body: `{"a":{"b":1}}`, Header: http.Header{"Access_token": {"asaas-key-0001"}}},
		"correios":     {Path: "/base/things", Body: `{"a":{"b":1}}`, Header: http.Header{"Authorization": {"Bearer short-lived-0001"}}},
		"melhor-envio": {Path: "/base/things", Body: `{"a":{"b":1}}`, Header: http.Header{"Authorization": {"Bearer melhor-token-0001"}}},
		"nuvem-fiscal": {Path: "/base/things", Body: `{"a":{"b":1}}`, Header: http.Header{"Authorization": {"Bearer short-lived-0001"}}},
		"z-api":        {Path: "/base/instances/3C01/token/zapi-token-0001/things", Body: `{"a":{"b":1}}`, Header: http.Header{"Client-Token": {"zapi-client-0001"}}},
	} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server, answerWith(http.StatusOK, `{"ok":true}`), nil)
			shared := map[string]string{"stripe": "/v1", "asaas": "/v3", "melhor-envio": "/api/v2"}[server]
			for _, endpoint := range []string{"/things", shared + "/things"} {
				result := b.raw(t, "post", `{"endpoint":"`+endpoint+`","body":{"a":{"b":1}},"params":{"n":2},"headers":{"Accept-Language":"pt"}}`)
				require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
				require.Equal(t, 1, result.Attempts)
			}
			for _, got := range b.requests() {
				require.Equal(t, http.MethodPost, got.Method)
				require.Equal(t, want.Path, got.Path)
				require.Equal(t, "n=2", got.Query)
				require.Equal(t, want.Body, got.Body)
				require.Equal(t, "pt", got.Header.Get("Accept-Language"))
				for name := range want.Header {
					require.Equal(t, want.Header.Get(name), got.Header.Get(name), name)
				}
			}
		})
	}
}

func TestAnErrorIsTheAnswerToARawCall(t *testing.T) {
	t.Parallel()
	for _, status := range []int{302, 400, 401, 402, 404, 409, 422, 429, 500, 503} {
		b := setup(t, "asaas", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "r1")
			w.Header().Set("Set-Cookie", "session=1")
			answerWith(status, `{"errors":[{"code":"x"}]}`)(w, nil)
		}, nil)
		result := b.raw(t, "post", `{"endpoint":"/payments","body":{}}`)
		require.Equal(t, events.ToolOK, result.Status, "%d: %+v", status, result.Fault)
		require.JSONEq(t, `{"status":`+strconv.Itoa(status)+`,"headers":{"content-type":"text/plain; charset=utf-8","x-request-id":"r1"},"data":{"errors":[{"code":"x"}]}}`, result.Output)
		require.Len(t, b.requests(), 1, "a raw call of %d was made again", status)
	}
}

// Only a raw call that reads is made again, and only where that may help.
func TestARawCallInDoubtIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	for method, sent := range map[string]int{"get": 3, "post": 1, "put": 1, "patch": 1, "delete": 1} {
		b := setup(t, "asaas", cut, nil)
		result := b.raw(t, method, `{"endpoint":"/payments"}`)
		require.Len(t, b.requests(), sent, method)
		if method == "get" {
			requireFault(t, result, events.ToolError, events.FaultProviderError)
		} else {
			requireFault(t, result, events.ToolUnknown, events.FaultOutcomeUnknown)
		}
		safety, known := b.client.Safety(t.Context(), agent.Reach{Direct: true}, "asaas", "proxy_"+method)
		require.True(t, known)
		require.Equal(t, method == "get", safety.Repeatable())
		_, known = b.client.Safety(t.Context(), agent.Reach{}, "asaas", "proxy_"+method)
		require.False(t, known, "a model may make raw calls")
	}
}

func TestAStaleTokenIsRenewedForARawCall(t *testing.T) {
	t.Parallel()
	b := setup(t, "nuvem-fiscal", answerWith(http.StatusUnauthorized, `{}`), nil)
	result := b.raw(t, "post", `{"endpoint":"/nfse"}`)
	require.Equal(t, events.ToolOK, result.Status)
	require.Contains(t, result.Output, `"status":401`)
	require.Len(t, b.requests(), 2)
}

func TestAnswersToRawCalls(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		method, body, output, says string
		status                     events.ToolStatus
	}{
		"no body":                       {method: "get", output: `"data":null`, status: events.ToolOK},
		"a text":                        {method: "get", body: "<b>hi\u202e\x00</b>", output: `"data":"<b>hi</b>"`, status: events.ToolOK},
		"the credential":                {method: "get", body: `{"key":"asaas-key-0001"}`, output: `"data":{"key":"[redacted]"}`, status: events.ToolOK},
		"numbers":                       {method: "get", body: `[12345678901234567890.10]`, output: `"data":[12345678901234567890.10]`, status: events.ToolOK},
		"too much":                      {method: "get", body: `"` + strings.Repeat("x", 70<<10) + `"`, says: "more than 65536 bytes", status: events.ToolError},
		"too much of an effect":         {method: "post", body: `"` + strings.Repeat("x", 70<<10) + `"`, says: "may have had its effect", status: events.ToolUnknown},
		"far too much":                  {method: "get", body: strings.Repeat("x", 2<<20), says: "more than", status: events.ToolError},
		"what is no text":               {method: "get", body: "\xff\xd8\xff", says: "neither JSON nor text", status: events.ToolError},
		"what is no text, of an effect": {method: "delete", body: "\xff\xd8\xff", says: "may have had its effect", status: events.ToolUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "asaas", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, row.body) }, nil)
			result := b.raw(t, row.method, `{"endpoint":"/payments"}`)
			require.Equal(t, row.status, result.Status, "%+v", result.Fault)
			if row.status == events.ToolOK {
				require.Contains(t, result.Output, row.output)
				require.True(t, json.Valid([]byte(result.Output)))
				return
			}
			require.Contains(t, result.Fault.Message, row.says)
		})
	}
}

func TestNoToolHasTheNameOfARawCall(t *testing.T) {
	t.Parallel()
	manifest := openManifest()
	manifest.Tools[0].Name = "proxy_get"
	_, err := New(Config{Manifests: []Manifest{manifest}, Credentials: fields{}})
	require.ErrorIs(t, err, ErrInvalidManifest)
}
