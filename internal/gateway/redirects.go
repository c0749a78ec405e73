package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
)

// redirects are the places that a person may be sent back to after connecting
// an account. Whoever is not on the list gets nobody: a redirect that a caller
// may choose freely would carry the operator's good name to any page.
type redirects []*url.URL

// parseRedirects reads a list. An entry is a URL without a query; one whose path
// ends in a slash stands for all below it, and one on loopback without a port
// for every port there.
func parseRedirects(list []string) (redirects, error) {
	var places redirects
	var faults []error
	for i, text := range list {
		place, err := url.Parse(text)
		switch {
		case err != nil || place.Host == "" || place.Opaque != "":
			faults = append(faults, fmt.Errorf("gateway: Redirects[%d] is no URL", i))
		case place.User != nil || place.RawQuery != "" || place.Fragment != "":
			faults = append(faults, fmt.Errorf("gateway: Redirects[%d] has a user, a query or a fragment", i))
		case place.Scheme != "https" && (place.Scheme != "http" || !loopback(place)):
			faults = append(faults, fmt.Errorf("gateway: Redirects[%d] is neither https nor http on loopback", i))
		default:
			places = append(places, place)
		}
	}
	return places, errors.Join(faults...)
}

// allow returns the place that the text names, if it is on the list. What
// browsers and Go read differently is on none: a backslash, a dot segment, a
// user before the host.
func (r redirects) allow(text string) (*url.URL, bool) {
	asked, err := url.Parse(text)
	if err != nil || asked.Host == "" || asked.User != nil || asked.Fragment != "" || asked.Opaque != "" {
		return nil, false
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
		return nil, false
	}
	clean := path.Clean("/" + asked.Path)
	if strings.HasSuffix(asked.Path, "/") && clean != "/" {
		clean += "/"
	}
	if asked.Path != "" && asked.EscapedPath() != clean {
		return nil, false
	}
	for _, place := range r {
		if place.Scheme == asked.Scheme && sameHost(place, asked) && below(place.Path, clean) {
			return asked, true
		}
	}
	return nil, false
}

func sameHost(place, asked *url.URL) bool {
	if strings.EqualFold(place.Host, asked.Host) {
		return true
	}
	return place.Port() == "" && loopback(place) && strings.EqualFold(place.Hostname(), asked.Hostname())
}

func below(place, asked string) bool {
	if place == "" {
		return asked == "/"
	}
	return asked == place || strings.HasSuffix(place, "/") && strings.HasPrefix(asked, place)
}

func loopback(at *url.URL) bool {
	address := net.ParseIP(at.Hostname())
	return at.Hostname() == "localhost" || address != nil && address.IsLoopback()
}
