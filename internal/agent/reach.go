package agent

import (
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// Reach is what a session may use: the servers that it was opened with and that
// its tenant still has, in the session's environment.
type Reach struct {
	// Tenant is the tenant as configured now, but for its routes, which are those
	// that the session was opened with.
	Tenant      tenant.Tenant
	Session     events.SessionID
	Environment events.Environment
	// Servers are in the session's order.
	Servers []string
	// Opened are those that the session was opened with, whatever the tenant has
	// now.
	Opened []string
	// Direct is set for a call that a caller asked for and no model: such a call
	// may be a raw one, which no tool of a server makes.
	Direct bool
	// Mocked is set where mocks answer the session's calls: whoever is asked of
	// its tools then asks nobody outside.
	Mocked bool
}

// Reach is what the scope's session may use now. A server that the tenant has
// lost since is out of it; one that it has won since needs another session.
func (s Scope) Reach() Reach {
	customer := s.Tenant
	customer.Routes = tenant.RoutesNamed(s.State.Routes)
	return Reach{
		Opened: s.State.Servers,
		Tenant: customer, Session: s.State.ID, Environment: s.State.Environment,
		Servers: slices.DeleteFunc(slices.Clone(s.State.Servers), func(server string) bool {
			return !slices.Contains(s.Tenant.Servers, server)
		}),
	}
}

// Has reports whether the tools of a server may be used. Those of Feira's own
// may be used by every session: they reach nothing that the session does not.
func (r Reach) Has(server string) bool {
	return server == OwnServer || slices.Contains(r.Servers, server)
}
