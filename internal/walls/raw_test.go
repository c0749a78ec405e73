package walls

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
)

// rawWalls are attempts of raw calls to go elsewhere, or as somebody else.
func rawWalls() map[string]attempt {
	const refused, invalid = events.ToolRefused, events.FaultInvalidArguments
	raw := func(method, arguments, code, says string) attempt {
		return attempt{past: func(c *agent.Call) {
			c.Tool, c.Arguments, c.Reach = "proxy_"+method, json.RawMessage(arguments), agent.Reach{Direct: true}
		}, status: refused, code: code, says: says}
	}
	at := func(endpoint string) attempt {
		return raw("get", `{"endpoint":"`+endpoint+`"}`, invalid, "/endpoint: ")
	}
	closed := raw("post", `{"endpoint":"/Keys/7/%73ecrets/"}`, invalid, "what is answered there is a secret")
	closed.change = func(c *provider.Config) { c.Manifests[0].Closed = []string{"/keys/*/secrets"} }
	tokens := raw("post", `{"endpoint":"/oauth/token"}`, invalid, "what is answered there is a secret")
	tokens.server = "nuvem-fiscal"
	live := raw("get", `{"endpoint":"/things"}`, events.FaultProviderError, "none of its manifest's")
	live.change = routed("http://test.example", "/{id}")
	return map[string]attempt{
		"by a model": {
			visit:  func(v *visit) { v.name, v.arguments = "open__proxy_get", `{"endpoint":"/things"}` },
			status: refused, code: events.FaultUnknownTool, says: `server "open" has no tool "proxy_get"`,
		},
		"by a model, past the session's wall": {
			past:   func(c *agent.Call) { c.Tool, c.Arguments = "proxy_get", json.RawMessage(`{"endpoint":"/things"}`) },
			status: refused, code: events.FaultUnknownTool, says: "proxy_get",
		},
		"by a method that is none":      raw("connect", `{"endpoint":"/things"}`, events.FaultUnknownTool, "proxy_connect"),
		"another host":                  at("https://stranger.example/things"),
		"another host, without scheme":  at("//stranger.example/things"),
		"another host, as a user name":  at("@stranger.example/things"),
		"above its place":               at("/../admin"),
		"above its place, escaped":      at("/%2e%2e/admin"),
		"above its place, backslash":    at("/a/..%5c..%5cadmin"),
		"a part of two, escaped":        at("/things%2f..%2fadmin"),
		"a part of two, escaped twice":  at("/things%252fadmin"),
		"a line of a header":            at("/things%0d%0aX-Key: 1"),
		"where a secret is answered":    closed,
		"where tokens come from":        tokens,
		"a credential of the caller's":  raw("get", `{"endpoint":"/things","headers":{"X-Key":"mine"}}`, invalid, "/headers/X-Key: may not be set"),
		"another host by a header":      raw("get", `{"endpoint":"/things","headers":{"Host":"stranger.example"}}`, invalid, "/headers/Host: may not be set"),
		"a header in a header":          raw("get", `{"endpoint":"/things","headers":{"Accept":"a\r\nX-Key: 1"}}`, invalid, "/headers/Accept: is no value"),
		"a credential in the query":     raw("get", `{"endpoint":"/things","params":{"api_key":"mine"}}`, invalid, "/params/api_key: "),
		"another method by an argument": raw("get", `{"endpoint":"/things","method":"DELETE"}`, invalid, "want endpoint"),
		"without encryption":            live,
		"an answer with its credential": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				_, _ = io.WriteString(w, "\xff\xfe"+r.Header.Get("X-Key"))
			},
			past: func(c *agent.Call) {
				c.Tool, c.Arguments, c.Reach = "proxy_get", json.RawMessage(`{"endpoint":"/things"}`), agent.Reach{Direct: true}
			},
			status: events.ToolError, code: events.FaultProviderError, says: "neither JSON nor text", sent: 1,
		},
	}
}
