package provider

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
)

const (
	dialTimeout      = 10 * time.Second
	idleTimeout      = 30 * time.Second
	maxIdlePerHost   = 32
	maxHeaderBytes   = 64 << 10
	handshakeTimeout = 10 * time.Second
)

// wire is how requests leave the process, to hosts of one kind.
type wire struct {
	// pooled keeps connections for calls that may be repeated.
	pooled *http.Transport
	// fresh makes a connection for each call: one that the provider closes while
	// a call is written to it leaves nobody knowing, and idle ones are closed.
	fresh *http.Transport
}

func (w *wire) close() {
	w.pooled.CloseIdleConnections()
	w.fresh.CloseIdleConnections()
}

// publicWire reaches public addresses on the ports 80 and 443 alone, whatever a
// name resolves to at the time of dialling.
//
// The guard refuses every IPv6 address outside 2000::/3, and with them
// IPv4-mapped ones and NAT64 (64:ff9b::/96, 64:ff9b:1::/48), and inside it 6to4
// and Teredo: forms that carry an IPv4 address past a look at the IPv6 one. So
// Feira has to have IPv4 of its own where it runs behind DNS64.
func publicWire(resolver *net.Resolver) *wire { return newWire(ssrf.New(), resolver) }

// operatorWire also reaches loopback and private networks, on any port, since
// an operator wrote the host's name. Link-local stays out: cloud metadata.
func operatorWire(resolver *net.Resolver) *wire {
	return newWire(ssrf.New(
		ssrf.WithAnyPort(),
		ssrf.WithAllowedV4Prefixes(
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		),
		ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7")),
	), resolver)
}

// newWire guards the address that is dialled, after the name was resolved: what
// the name meant a moment earlier, or will mean later, does not matter.
func newWire(guard *ssrf.Guardian, resolver *net.Resolver) *wire {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: guard.Safe, Resolver: resolver}
	transport := func(keep bool) *http.Transport {
		return &http.Transport{
			Proxy:                  nil, // no proxy from the environment: it would see the credentials' hosts and paths
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    handshakeTimeout,
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      !keep,
			MaxIdleConnsPerHost:    maxIdlePerHost,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
		}
	}
	return &wire{pooled: transport(true), fresh: transport(false)}
}
