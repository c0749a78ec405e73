package proxy_test

import (
	"encoding/json"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/proxy"
)

func TestWhatMayBeSaid(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		method, arguments, path, query string
	}{
		"a path":              {"GET", `{"endpoint":"/v1/balance"}`, "/v1/balance", ""},
		"a query and more":    {"GET", `{"endpoint":"/v1/charges?limit=3","params":{"paid":true,"after":"a b"}}`, "/v1/charges", "after=a+b&limit=3&paid=true"},
		"a number as written": {"GET", `{"endpoint":"/x","params":{"n":12345678901234567890.10}}`, "/x", "n=12345678901234567890.10"},
		"a slash at the end":  {"GET", `{"endpoint":"/v1/charges/"}`, "/v1/charges/", ""},
		"escapes":             {"GET", `{"endpoint":"/v1/%61ção/a%20b"}`, "/v1/a%C3%A7%C3%A3o/a%20b", ""},
		"a body":              {"POST", `{"endpoint":"/x","body":[1,"two"],"headers":{"Prefer":"return=minimal","idempotency-key":"k"}}`, "/x", ""},
		"no body":             {"GET", `{"endpoint":"/x","body":null}`, "/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call, err := proxy.Parse(json.RawMessage(row.arguments))
			require.NoError(t, err)
			require.NoError(t, call.Check(row.method))
			at, query, err := call.Target()
			require.NoError(t, err)
			require.Equal(t, row.path, at)
			require.Equal(t, row.query, query.Encode())
			again, err := call.Arguments()
			require.NoError(t, err)
			same, err := proxy.Parse(again)
			require.NoError(t, err)
			require.Equal(t, call, same)
		})
	}
}

func TestWhatMayNot(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3000)
	for arguments, field := range map[string]string{
		`{"endpoint":"v1/balance"}`:                                           "/endpoint",
		`{"endpoint":""}`:                                                     "/endpoint",
		`{"endpoint":"https://stranger.example/v1"}`:                          "/endpoint",
		`{"endpoint":"//stranger.example/v1"}`:                                "/endpoint",
		`{"endpoint":"/\\stranger.example"}`:                                  "/endpoint",
		`{"endpoint":"/v1/../v2"}`:                                            "/endpoint",
		`{"endpoint":"/v1/%2e%2E/v2"}`:                                        "/endpoint",
		`{"endpoint":"/v1/a%2fb"}`:                                            "/endpoint",
		`{"endpoint":"/v1/a%5cb"}`:                                            "/endpoint",
		`{"endpoint":"/v1/a%252fb"}`:                                          "/endpoint",
		`{"endpoint":"/v1/a%0d%0ab"}`:                                         "/endpoint",
		`{"endpoint":"/v1/%zz"}`:                                              "/endpoint",
		`{"endpoint":"/v1//x"}`:                                               "/endpoint",
		`{"endpoint":"/v1#x"}`:                                                "/endpoint",
		`{"endpoint":"/v1?a=%zz"}`:                                            "/endpoint",
		`{"endpoint":"/v1?api_key=x"}`:                                        "/endpoint",
		`{"endpoint":"/` + long + `"}`:                                        "/endpoint",
		`{"endpoint":"/x","params":{"access_token":"x"}}`:                     "/params/access_token",
		`{"endpoint":"/x","params":{"API-Key":"x"}}`:                          "/params/API-Key",
		`{"endpoint":"/x","params":{"a":{}}}`:                                 "/params/a",
		`{"endpoint":"/x","params":{"a":null}}`:                               "/params/a",
		`{"endpoint":"/x","params":{"a":"` + long + `"}}`:                     "/params/a",
		`{"endpoint":"/x","params":{"":1}}`:                                   "/params/",
		`{"endpoint":"/x","headers":{"Authorization":"Bearer x"}}`:            "/headers/Authorization",
		`{"endpoint":"/x","headers":{"Host":"stranger.example"}}`:             "/headers/Host",
		`{"endpoint":"/x","headers":{"access_token":"x"}}`:                    "/headers/access_token",
		`{"endpoint":"/x","headers":{"Stripe-Account":"acct_1"}}`:             "/headers/Stripe-Account",
		`{"endpoint":"/x","headers":{"Transfer-Encoding":"chunked"}}`:         "/headers/Transfer-Encoding",
		`{"endpoint":"/x","headers":{"Accept":"a\r\nAuthorization: Bearer"}}`: "/headers/Accept",
		`{"endpoint":"/x","body":{}}`:                                         "/body",
		`{"endpoint":"/x","host":"stranger.example"}`:                         "/",
		`{"endpoint":"/x"} {}`:                                                "/",
		`[]`:                                                                  "/",
	} {
		call, err := proxy.Parse(json.RawMessage(arguments))
		if err == nil {
			err = call.Check("GET")
		}
		var fault *proxy.FieldError
		require.ErrorAs(t, err, &fault, arguments)
		require.Equal(t, field, fault.Field, arguments)
		require.NotContains(t, err.Error(), "Bearer")
	}
	var fault *proxy.FieldError
	require.ErrorAs(t, proxy.Call{Endpoint: "/x"}.Check("CONNECT"), &fault)
	require.Equal(t, "/method", fault.Field)
}

// Whatever passes stays below where it is put, however often it is unescaped.
func TestNoPathLeavesItsPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"/", "..", ".", "%2e", "%2f", "%5c", "%25", "\\", "a", "?", "#", "@", ":", ";", "%00", "é", "//"})).Draw(t, "parts")
		at, _, err := proxy.Call{Endpoint: "/" + strings.Join(parts, "")}.Target()
		if err != nil {
			return
		}
		for range 3 {
			parsed, err := url.Parse("https://host.example/base" + at)
			require.NoError(t, err)
			require.Equal(t, "host.example", parsed.Host)
			require.True(t, strings.HasPrefix(path.Clean(parsed.Path)+"/", "/base/"), parsed.Path)
			at, err = url.PathUnescape(at)
			require.NoError(t, err)
			at = (&url.URL{Path: at}).EscapedPath()
		}
	})
}

func TestToolsOfMethods(t *testing.T) {
	t.Parallel()
	require.Equal(t, "proxy_get", proxy.ToolOf("GET"))
	require.Empty(t, proxy.ToolOf("get"))
	require.Empty(t, proxy.ToolOf("CONNECT"))
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]proxy.Answer{
		`{"status":402,"headers":{"etag":"1"},"data":{"a":1}}`: {Status: 402, Headers: map[string]string{"etag": "1"}, Data: json.RawMessage(`{"a":1}`)},
		`{"status":204,"data":null}`:                           {Status: 204, Headers: map[string]string{}, Data: json.RawMessage(`null`)},
		`{"status":"open","id":1}`:                             {Status: 200, Headers: map[string]string{}, Data: json.RawMessage(`{"status":"open","id":1}`)},
		`{"id":1}`:                                             {Status: 200, Headers: map[string]string{}, Data: json.RawMessage(`{"id":1}`)},
		``:                                                     {Status: 200, Headers: map[string]string{}, Data: json.RawMessage(`null`)},
	} {
		require.Equal(t, want, proxy.ParseAnswer(json.RawMessage(output)), output)
	}
}
