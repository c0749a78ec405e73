package tenant

import (
	"errors"
	"fmt"
	"slices"
)

// Routes name the server that does a thing where the tenant has several that
// can. What is left empty goes to the first of a session's servers that can.
type Routes struct {
	// Charge is by the way in which the buyer pays.
	Charge  ChargeRoutes `json:"charge,omitzero" yaml:"charge,omitempty"`
	Pay     string       `json:"pay,omitempty" yaml:"pay,omitempty"`
	Ship    string       `json:"ship,omitempty" yaml:"ship,omitempty"`
	Notify  string       `json:"notify,omitempty" yaml:"notify,omitempty"`
	Invoice string       `json:"invoice,omitempty" yaml:"invoice,omitempty"`
}

// ChargeRoutes name the server of each way to be paid.
type ChargeRoutes struct {
	Pix    string `json:"pix,omitempty" yaml:"pix,omitempty"`
	Boleto string `json:"boleto,omitempty" yaml:"boleto,omitempty"`
	Card   string `json:"card,omitempty" yaml:"card,omitempty"`
}

// validateRoutes joins the faults of the routes. Whether a server is able to do
// what is routed to it is known to those who know the servers.
func (t Tenant) validateRoutes() error {
	var faults []error
	for _, route := range []struct{ field, server string }{
		{"charge.pix", t.Routes.Charge.Pix},
		{"charge.boleto", t.Routes.Charge.Boleto},
		{"charge.card", t.Routes.Charge.Card},
		{"pay", t.Routes.Pay},
		{"ship", t.Routes.Ship},
		{"notify", t.Routes.Notify},
		{"invoice", t.Routes.Invoice},
	} {
		if route.server != "" && !slices.Contains(t.Servers, route.server) {
			faults = append(faults, fmt.Errorf("%w: routes.%s is %q, which is none of the tenant's servers", ErrInvalid, route.field, route.server))
		}
	}
	return errors.Join(faults...)
}
