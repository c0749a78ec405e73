package provider

import (
	"net/url"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/egress"
)

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
			allowed[egress.Origin(parsed)] = true
		}
	}
	return allowed
}
