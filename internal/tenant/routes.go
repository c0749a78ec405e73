package tenant

import (
	"errors"
	"fmt"
	"maps"
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

// fields are the routes by the names that they have on the wire.
func (r *Routes) fields() map[string]*string {
	return map[string]*string{
		"charge.pix": &r.Charge.Pix, "charge.boleto": &r.Charge.Boleto, "charge.card": &r.Charge.Card,
		"pay": &r.Pay, "ship": &r.Ship, "notify": &r.Notify, "invoice": &r.Invoice,
	}
}

// Named are the routes that are set, by name; nil when none is.
func (r Routes) Named() map[string]string {
	var named map[string]string
	for name, server := range r.fields() {
		if *server == "" {
			continue
		}
		if named == nil {
			named = map[string]string{}
		}
		named[name] = *server
	}
	return named
}

// RoutesNamed are the routes of these names. Names that are not known are
// passed over.
func RoutesNamed(named map[string]string) Routes {
	var routes Routes
	for name, server := range routes.fields() {
		*server = named[name]
	}
	return routes
}

// validateRoutes joins the faults of the routes. Whether a server is able to do
// what is routed to it is known to those who know the servers.
func (t Tenant) validateRoutes() error {
	var faults []error
	named := t.Routes.Named()
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !slices.Contains(t.Servers, named[name]) {
			faults = append(faults, fmt.Errorf("%w: routes.%s is %q, which is none of the tenant's servers", ErrInvalid, name, named[name]))
		}
	}
	return errors.Join(faults...)
}
