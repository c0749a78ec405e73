package egress

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ErrHost occurs when a request would leave for a host that is not one of its
// server's, or without encryption where no operator allowed it.
var ErrHost = errors.New("the host is not one of the server's")

// Gate lets requests pass to the hosts of one server in one environment. It is
// the last look at a request that carries a credential: whatever went wrong
// before it, a test session reaches no live host, and nobody a foreign one.
type Gate struct {
	// Origins are all that may be reached, each as [Origin] writes it.
	Origins map[string]bool
	Next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (g Gate) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.User != nil || !g.Origins[Origin(request.URL)] {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, ErrHost
	}
	return g.Next.RoundTrip(request)
}

// Origin is scheme, host and port of a URL, written in one way.
func Origin(of *url.URL) string {
	scheme, host := strings.ToLower(of.Scheme), strings.ToLower(of.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}
