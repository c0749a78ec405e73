package walls

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/provider"
)

// routed is a manifest whose test host and tool path are the attacker's choice.
func routed(base, path string) func(*provider.Config) {
	return func(c *provider.Config) {
		manifest := openManifest()
		manifest.BaseURLs = map[events.Environment]string{events.EnvironmentTest: base, events.EnvironmentLive: "https://live.example"}
		manifest.Tools[0].Path = path
		c.Manifests, c.BaseURLs = []provider.Manifest{manifest}, nil
	}
}

// hostWalls are attempts to have a request, and the credential on it, sent to
// a stranger.
func hostWalls(t *testing.T) map[string]attempt {
	t.Helper()
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	hop := httptest.NewServer(http.RedirectHandler(stranger.URL+"/oauth/token", http.StatusTemporaryRedirect))
	t.Cleanup(func() {
		stranger.Close()
		hop.Close()
		require.Zero(t, strangers.Load(), "a stranger's host was reached")
	})
	const refused, failed, code = events.ToolRefused, events.ToolError, events.FaultProviderError
	leaving := func(base, path string) attempt {
		return attempt{change: routed(base, path), status: refused, code: code, says: "none of its manifest's"}
	}
	redirected := func(to string, status int) attempt {
		return attempt{handler: http.RedirectHandler(to, status).ServeHTTP, status: failed, code: code, says: "redirect, which is not followed", sent: 1}
	}
	return map[string]attempt{
		"a path that makes the host a user name": leaving("https://test.example", "@"+strings.TrimPrefix(stranger.URL, "http://")+"/{id}"),
		"a path that lengthens the host":         leaving("https://test.example", ".stranger.example/{id}"),
		"a path that adds a port":                leaving("https://test.example", ":8443/{id}"),
		"a test session at the live host":        leaving("https://", "live.example/{id}"),
		"plain HTTP":                             leaving("http://test.example", "/{id}"),
		"a user name in the base":                leaving("https://user@test.example", "/{id}"),
		"a redirect to another host":             redirected(stranger.URL, http.StatusTemporaryRedirect),
		"a redirect to the same host":            redirected("/base/elsewhere", http.StatusFound),
		"a redirect of the token's exchange": {
			server: "nuvem-fiscal",
			change: func(c *provider.Config) { c.BaseURLs["nuvem-fiscal"] = hop.URL },
			visit:  func(v *visit) { v.name, v.arguments = "nuvem-fiscal__consult_cep", `{"cep":"01001000"}` },
			status: refused, code: code, says: "gives no token for it (307)",
		},
	}
}

// publicWalls are a provider's public name that means an address which is none
// of its own, always or from the second time on.
func publicWalls(t *testing.T) map[string]attempt {
	t.Helper()
	const says = "its address is not public"
	walls := map[string]attempt{}
	for kind, address := range map[string]string{
		"loopback": "127.0.0.1", "loopback 6": "::1", "unspecified": "0.0.0.0", "unspecified 6": "::",
		"private A": "10.0.0.1", "private B": "172.16.0.1", "private C": "192.168.0.1", "unique local": "fd00::1",
		"carrier": "100.64.0.1", "metadata": "169.254.169.254", "metadata 6": "fd00:ec2::254", "link local": "fe80::1",
		"site local": "fec0::1", "multicast": "224.0.0.1", "multicast 6": "ff02::1", "broadcast": "255.255.255.255",
		"mapped loopback": "::ffff:127.0.0.1", "mapped private": "::ffff:10.0.0.1", "compatible": "::7f00:1",
		"NAT64 metadata": "64:ff9b::a9fe:a9fe", "NAT64 loopback": "64:ff9b::7f00:1", "NAT64 local use": "64:ff9b:1::a00:1",
		"6to4": "2002:7f00:1::", "Teredo": "2001:0:7f00:1::", "documentation": "2001:db8::1", "benchmark": "198.18.0.1",
	} {
		resolver, _ := resolverOf(t, func(int) []netip.Addr { return []netip.Addr{netip.MustParseAddr(address)} })
		walls[kind] = attempt{
			change: func(c *provider.Config) {
				routed("https://api.shop.example", "/things/{id}/parts")(c)
				c.Resolver = resolver
			},
			status: events.ToolRefused, code: events.FaultProviderError, says: says,
		}
	}
	// The operator's own name may mean loopback, and after that the metadata of a cloud.
	rebinding, names := resolverOf(t, func(asked int) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr([]string{"127.0.0.1", "169.254.169.254"}[min(asked, 1)])}
	})
	t.Cleanup(func() { require.GreaterOrEqual(t, names.served.Load(), int32(2), "the name was not looked up again") })
	walls["a name that is rebound"] = attempt{
		handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // so that the name is looked up again
			answer(`{}`)(w, r)
		},
		change: func(c *provider.Config) {
			c.BaseURLs["open"] = strings.Replace(c.BaseURLs["open"], "127.0.0.1", "api.shop.example", 1)
			c.Resolver = rebinding
		},
		welcome: 1, status: events.ToolRefused, code: events.FaultProviderError, says: says,
	}
	return walls
}
