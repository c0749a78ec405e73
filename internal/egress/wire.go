package egress

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"code.dny.dev/ssrf"
)

const (
	dialTimeout      = 10 * time.Second
	idleTimeout      = 30 * time.Second
	maxIdlePerHost   = 32
	handshakeTimeout = 10 * time.Second
)

// MaxHeaderBytes is how much of the head of an answer is read.
const MaxHeaderBytes = 64 << 10

// Wire is how requests leave the process, to hosts of one kind.
type Wire struct {
	// Pooled keeps connections for calls that may be repeated.
	Pooled *http.Transport
	// Fresh makes a connection for each call: one that the host closes while a
	// call is written to it leaves nobody knowing, and idle ones are closed.
	Fresh *http.Transport
}

// Close drops idle connections; requests that are going on are not touched.
func (w *Wire) Close() {
	w.Pooled.CloseIdleConnections()
	w.Fresh.CloseIdleConnections()
}

// PublicWire reaches public addresses on the ports 80 and 443 alone, whatever a
// name resolves to at the time of dialling.
//
// The guard refuses every IPv6 address outside 2000::/3, and with them
// IPv4-mapped ones and NAT64 (64:ff9b::/96, 64:ff9b:1::/48), and inside it 6to4
// and Teredo: forms that carry an IPv4 address past a look at the IPv6 one. So
// Feira has to have IPv4 of its own where it runs behind DNS64.
func PublicWire(resolver *net.Resolver) *Wire { return NewWire(ssrf.New(), resolver) }

// OperatorWire also reaches loopback and private networks, on any port, since
// an operator wrote the host's name. Link-local stays out: cloud metadata.
func OperatorWire(resolver *net.Resolver) *Wire {
	return NewWire(ssrf.New(
		ssrf.WithAnyPort(),
		ssrf.WithAllowedV4Prefixes(
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		),
		ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7")),
	), resolver)
}

// DevelopmentWire reaches public addresses, and on any port this machine's own:
// for development, where an operator has said so.
func DevelopmentWire(resolver *net.Resolver) *Wire {
	return NewWire(ssrf.New(
		ssrf.WithAnyPort(),
		ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8")), ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128")),
	), resolver)
}

// NewWire guards the address that is dialled, after the name was resolved: what
// the name meant a moment earlier, or will mean later, does not matter.
func NewWire(guard *ssrf.Guardian, resolver *net.Resolver) *Wire {
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
			MaxResponseHeaderBytes: MaxHeaderBytes,
		}
	}
	return &Wire{Pooled: transport(true), Fresh: transport(false)}
}

// Prohibited reports whether a request was not sent because of the address
// that its host's name means.
func Prohibited(err error) bool {
	return errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedPort) || errors.Is(err, ssrf.ErrProhibitedNetwork)
}

// WithoutURL takes off what net/http says of the URL: it may hold a secret.
func WithoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
