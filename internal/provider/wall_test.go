package provider

import (
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// attempt is one try to get through a wall, and the refusal that it meets. The
// wall of the session, which a call meets before it comes here, is held to its
// own table in the agent.
type attempt struct {
	server string // Defaults to "open".
	// handler plays the server where the call is to reach one.
	handler http.HandlerFunc
	change  func(*Config)
	call    func(*agent.Call)

	status events.ToolStatus
	code   string
	says   string
	// sent is how many requests the server saw, all refused in effect.
	sent int
}

func TestWalls(t *testing.T) {
	t.Parallel()
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	t.Cleanup(stranger.Close)
	hop := httptest.NewServer(http.RedirectHandler(stranger.URL+"/oauth/token", http.StatusTemporaryRedirect))
	t.Cleanup(hop.Close)
	t.Cleanup(func() { require.Zero(t, strangers.Load(), "a stranger's host was reached") })
	for _, table := range []map[string]attempt{tenantWalls(), hostWalls(stranger.URL, hop.URL), argumentWalls(), answerWalls()} {
		for name, row := range table {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				row.run(t)
			})
		}
	}
}

func (row attempt) run(t *testing.T) {
	t.Helper()
	orDefault(&row.server, "open")
	handler := row.handler
	if handler == nil {
		handler = answerWith(http.StatusOK, `{}`)
	}
	b := setup(t, row.server, handler, func(c *Config) {
		if row.server == "open" {
			c.Manifests, c.Credentials = []Manifest{openManifest()}, fields{"key": "open-key-0001"}
		}
		c.Tries = 1
		if row.change != nil {
			row.change(c)
		}
	})
	call := b.request("read", `{"id":"1"}`)
	if row.call != nil {
		row.call(&call)
	}
	result := b.client.Call(t.Context(), call)
	requireFault(t, result, row.status, row.code)
	require.Contains(t, result.Fault.Message, row.says)
	require.Len(t, b.requests(), row.sent)
}

// without takes the override off, so that the manifest's own hosts count.
func without(c *Config) { c.BaseURLs = nil }

func tenantWalls() map[string]attempt {
	const refused, none = events.ToolRefused, events.FaultNoCredential
	return map[string]attempt{
		"another tenant's credential": {
			change: func(c *Config) {
				c.Credentials = opener(func(tenant events.TenantID) (Credential, error) {
					if tenant != "acme" {
						return nil, fmt.Errorf("opening: %w", ErrNoCredential)
					}
					return fields{"key": "open-key-0001"}, nil
				})
			},
			call:   func(c *agent.Call) { c.Tenant = "rival" },
			status: refused, code: none, says: "there is no test credential for Open",
		},
		"a credential that opens for nobody": {
			change: func(c *Config) {
				c.Credentials = opener(func(events.TenantID) (Credential, error) {
					return nil, fmt.Errorf("sealed with sk_live_51Habc") //nolint:perfsprint // the text is the point
				})
			},
			status: refused, code: none, says: "cannot be opened",
		},
		"a server that is none": {
			call:   func(c *agent.Call) { c.Server = "elsewhere" },
			status: refused, code: events.FaultUnknownTool, says: "there is no tool read at elsewhere",
		},
		"another server's tool": {
			call:   func(c *agent.Call) { c.Tool = "get_balance" },
			status: refused, code: events.FaultUnknownTool, says: "get_balance",
		},
		"an environment without a host": {
			change: without, status: refused, code: none, says: "has no test environment",
		},
		"an environment that is none": {
			change: without,
			call:   func(c *agent.Call) { c.Environment = "staging" },
			status: refused, code: none, says: "has no staging environment",
		},
		"a live key in a test session": {
			server: "stripe",
			change: func(c *Config) { c.Credentials = fields{"secret_key": "sk_live_51Habc"} },
			call:   func(c *agent.Call) { c.Tool, c.Arguments = "retrieve_balance", json.RawMessage(`{}`) },
			status: refused, code: none, says: "field secret_key of the credential is not one for the test environment",
		},
		"a test key in a live session": {
			server: "stripe",
			change: func(c *Config) { c.Credentials = fields{"secret_key": "sk_test_51Habc"} },
			call: func(c *agent.Call) {
				c.Environment, c.Tool, c.Arguments = events.EnvironmentLive, "retrieve_balance", json.RawMessage(`{}`)
			},
			status: refused, code: none, says: "is not one for the live environment",
		},
	}
}

// routed is a manifest whose test host and tool path are the attacker's choice.
func routed(base, path string) func(*Config) {
	return func(c *Config) {
		manifest := openManifest()
		manifest.BaseURLs = map[events.Environment]string{events.EnvironmentTest: base, events.EnvironmentLive: "https://live.example"}
		manifest.Tools[0].Path = path
		c.Manifests, c.BaseURLs = []Manifest{manifest}, nil
	}
}

// named is a public manifest whose name means what the test says.
func named(t *testing.T, addresses ...string) func(*Config) {
	t.Helper()
	return func(c *Config) {
		routed("https://api.shop.example", "/things/{id}/parts")(c)
		resolver, _ := resolverOf(t, func(int) []netip.Addr {
			parsed := make([]netip.Addr, 0, len(addresses))
			for _, address := range addresses {
				parsed = append(parsed, netip.MustParseAddr(address))
			}
			return parsed
		})
		c.Resolver = resolver
	}
}

func hostWalls(stranger, hop string) map[string]attempt {
	const refused, failed, code = events.ToolRefused, events.ToolError, events.FaultProviderError
	host := strings.TrimPrefix(stranger, "http://")
	leaving := func(base, path string) attempt {
		return attempt{change: routed(base, path), status: refused, code: code, says: "none of its manifest's"}
	}
	return map[string]attempt{
		"a path that makes the host a user name": leaving("https://test.example", "@"+host+"/{id}"),
		"a path that lengthens the host":         leaving("https://test.example", ".stranger.example/{id}"),
		"a path that adds a port":                leaving("https://test.example", ":8443/{id}"),
		"a test session at the live host":        leaving("https://", "live.example/{id}"),
		"plain HTTP":                             leaving("http://test.example", "/{id}"),
		"a user name in the base":                leaving("https://user@test.example", "/{id}"),
		"a redirect to another host": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, stranger, http.StatusTemporaryRedirect)
			},
			status: failed, code: code, says: "redirect, which is not followed", sent: 1,
		},
		"a redirect to the same host": {
			handler: redirect, status: failed, code: code, says: "redirect, which is not followed", sent: 1,
		},
		"a redirect of the token's exchange": {
			server: "nuvem-fiscal",
			change: func(c *Config) { c.BaseURLs["nuvem-fiscal"] = hop },
			call:   func(c *agent.Call) { c.Tool, c.Arguments = "consult_cep", json.RawMessage(`{"cep":"01001000"}`) },
			status: refused, code: code, says: "gives no token for it (307)",
		},
	}
}

func argumentWalls() map[string]attempt {
	invalid := func(arguments, says string) attempt {
		return attempt{
			call:   func(c *agent.Call) { c.Arguments = json.RawMessage(arguments) },
			status: events.ToolRefused, code: events.FaultInvalidArguments, says: says,
		}
	}
	return map[string]attempt{
		"no argument":                 invalid(`{}`, "is missing id"),
		"an argument of another kind": invalid(`{"id":7}`, "/id: want string, got number"),
		"an argument too many":        invalid(`{"id":"1","host":"x"}`, "has no place for host"),
		"a path that climbs":          invalid(`{"id":"../../admin"}`, "/id: cannot stand in a path"),
		"a path that climbs unseen":   invalid(`{"id":"%2e%2e"}`, "/id: cannot stand in a path"),
		"a line break":                invalid(`{"id":"1\r\nHost: x"}`, "/id: cannot stand in a path"),
		"arguments above the limit":   invalid(`{"id":"`+strings.Repeat("x", maxArguments)+`"}`, "bytes, at most"),
	}
}

func answerWalls() map[string]attempt {
	const failed = events.ToolError
	small := func(c *Config) { c.MaxResponse = 4096 }
	soon := func(c *Config) { c.Manifests[0].Timeout = Duration(100 * time.Millisecond) }
	return map[string]attempt{
		"a body above the limit": {
			handler: huge, change: small, status: failed, code: events.FaultResultTooLarge, says: "more than 4096 bytes", sent: 1,
		},
		"a small body that unpacks into a large one": {
			handler: bomb, change: small, status: failed, code: events.FaultResultTooLarge, says: "more than 4096 bytes", sent: 1,
		},
		"a header without an end": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
				_, _ = io.WriteString(w, `{}`)
			},
			status: failed, code: events.FaultProviderError, says: "broke the connection off", sent: 1,
		},
		"a body that drips": {
			handler: drip, change: soon, status: failed, code: events.FaultProviderTimeout, says: "did not answer in time", sent: 1,
		},
		"an answer that never begins": {
			handler: hang, change: soon, status: failed, code: events.FaultProviderTimeout, says: "did not answer in time", sent: 1,
		},
	}
}

// bomb answers with a few bytes that stand for a mebibyte.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	_, _ = io.WriteString(packed, `{"text":"`+strings.Repeat("x", 1<<20)+`"}`)
	_ = packed.Close()
}

// drip sends a byte at a time, for as long as somebody listens.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"text":"`)
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-every.C:
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// TestNamesOfWhatIsNotPublic resolves the public name of a provider to every
// kind of address that is none of its own.
func TestNamesOfWhatIsNotPublic(t *testing.T) {
	t.Parallel()
	for kind, address := range map[string]string{
		"loopback": "127.0.0.1", "loopback 6": "::1", "unspecified": "0.0.0.0", "unspecified 6": "::",
		"private A": "10.0.0.1", "private B": "172.16.0.1", "private C": "192.168.0.1", "unique local": "fd00::1",
		"carrier": "100.64.0.1", "metadata": "169.254.169.254", "metadata 6": "fd00:ec2::254", "link local": "fe80::1",
		"site local": "fec0::1", "multicast": "224.0.0.1", "multicast 6": "ff02::1", "broadcast": "255.255.255.255",
		"mapped loopback": "::ffff:127.0.0.1", "mapped private": "::ffff:10.0.0.1", "compatible": "::7f00:1",
		"NAT64 metadata": "64:ff9b::a9fe:a9fe", "NAT64 loopback": "64:ff9b::7f00:1", "NAT64 local use": "64:ff9b:1::a00:1",
		"6to4": "2002:7f00:1::", "Teredo": "2001:0:7f00:1::", "documentation": "2001:db8::1", "benchmark": "198.18.0.1",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			attempt{change: named(t, address), status: events.ToolRefused, code: events.FaultProviderError, says: "its address is not public"}.run(t)
		})
	}
}

// TestANameThatIsReboundIsRefused lets a name mean a host that may be reached,
// and the next time one that may not: 127.0.0.2 plays the public address.
func TestANameThatIsReboundIsRefused(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	var reached atomic.Int32
	host := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		w.Header().Set("Connection", "close") // so that the name is looked up again
		answerWith(http.StatusOK, `{"ok":true}`)(w, r)
	}))
	require.NoError(t, host.Listener.Close())
	host.Listener = listener
	host.Start()
	t.Cleanup(host.Close)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	resolver, names := resolverOf(t, func(asked int) []netip.Addr {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, byte(max(2-asked, 1))})}
	})
	b := setup(t, "open", nil, func(c *Config) {
		c.Manifests, c.Credentials = []Manifest{openManifest()}, fields{"key": "open-key-0001"}
		c.BaseURLs["open"] = "http://api.shop.example:" + port
	})
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.2/32")))
	b.client.servers["open"].wire = newWire(guard, resolver)
	require.Equal(t, events.ToolOK, b.call(t, "read", `{"id":"1"}`).Status)
	requireFault(t, b.call(t, "read", `{"id":"1"}`), events.ToolRefused, events.FaultProviderError)
	require.EqualValues(t, 1, reached.Load())
	require.GreaterOrEqual(t, names.served.Load(), int32(2), "the name was not looked up again")
}

// TestOldAndUntrustedTLSIsRefused holds a call against servers that speak TLS
// of some version, with a certificate that the client knows or does not.
func TestOldAndUntrustedTLSIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		newest  uint16
		trusted bool
		want    events.ToolStatus
	}{
		"TLS 1.3": {tls.VersionTLS13, true, events.ToolOK}, "TLS 1.2": {tls.VersionTLS12, true, events.ToolOK},
		"TLS 1.1": {tls.VersionTLS11, true, events.ToolError}, "a certificate of nobody's": {tls.VersionTLS13, false, events.ToolError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var reached atomic.Int32
			host := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached.Add(1)
				answerWith(http.StatusOK, `{}`)(w, r)
			}))
			host.Config.ErrorLog = log.New(io.Discard, "", 0)
			host.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: test.newest}
			host.StartTLS()
			t.Cleanup(host.Close)
			b := setup(t, "open", nil, func(c *Config) {
				c.Manifests, c.Credentials = []Manifest{openManifest()}, fields{"key": "open-key-0001"}
				c.BaseURLs["open"] = host.URL
			})
			if test.trusted {
				roots := x509.NewCertPool()
				roots.AddCert(host.Certificate())
				b.client.servers["open"].wire.pooled.TLSClientConfig.RootCAs = roots
			}
			result := b.call(t, "read", `{"id":"1"}`)
			require.Equal(t, test.want, result.Status, "%+v", result.Fault)
			if test.want == events.ToolOK {
				return
			}
			requireFault(t, result, test.want, events.FaultProviderError)
			require.Contains(t, result.Fault.Message, "nothing was sent")
			require.Zero(t, reached.Load())
		})
	}
}
