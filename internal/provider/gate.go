package provider

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/feira-dev/feira/events"
)

// errHost occurs when a request would leave for a host that is not one of its
// server's, or without encryption where no operator allowed it.
var errHost = errors.New("the host is not one of the server's")

// gate lets requests pass to the hosts of one server in one environment. It is
// the last look at a request that carries a credential: whatever went wrong
// before it, a test session reaches no live host, and nobody a foreign one.
type gate struct {
	origins map[string]bool
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (g gate) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.User != nil || !g.origins[origin(request.URL)] {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, errHost
	}
	return g.next.RoundTrip(request)
}

// origin is scheme, host and port of a URL, written in one way.
func origin(of *url.URL) string {
	scheme, host := strings.ToLower(of.Scheme), strings.ToLower(of.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}

// origins are where the requests of a server may go in an environment: its
// base URL, and where its tokens come from. Only an operator's override may be
// plain HTTP.
func (s *server) origins(env events.Environment) map[string]bool {
	allowed := map[string]bool{}
	base, ok := s.base(env)
	if !ok {
		return allowed
	}
	addresses := []string{base}
	if s.manifest.Auth.Token != nil {
		addresses = append(addresses, s.tokenURL(base))
	}
	if s.manifest.Auth.Refresh != nil {
		addresses = append(addresses, s.refreshURL(base))
	}
	for _, address := range addresses {
		parsed, err := url.Parse(address)
		if err == nil && parsed.Host != "" && (parsed.Scheme == "https" || s.override != "") {
			allowed[origin(parsed)] = true
		}
	}
	return allowed
}
