package commerce

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/tenant"
)

// deed is a thing that servers can do, whichever of them does it.
type deed string

// Deeds.
const (
	deedCharge  deed = "charge"
	deedPay     deed = "pay"
	deedInvoice deed = "invoice"
	deedShip    deed = "ship"
	deedNotify  deed = "notify"
)

// Ids of the servers that have recipes here.
const (
	serverAsaas       = "asaas"
	serverStripe      = "stripe"
	serverCorreios    = "correios"
	serverMelhorEnvio = "melhor-envio"
	serverNuvemFiscal = "nuvem-fiscal"
	serverZAPI        = "z-api"
)

// trade is a server that has a recipe for a deed, and the tool without which
// there is no doing it.
type trade struct {
	deed         deed
	server, tool string
}

func trades() []trade {
	return []trade{
		{deedCharge, serverAsaas, "create_payment"},
		{deedCharge, serverStripe, "create_payment_intent"},
		{deedPay, serverAsaas, "create_transfer"},
		{deedShip, serverCorreios, "create_prepost"},
		{deedShip, serverMelhorEnvio, "create_shipment"},
		{deedInvoice, serverNuvemFiscal, "create_nfse"},
		{deedNotify, serverZAPI, "send_text"},
	}
}

// trades reports whether a server within reach can do a deed.
func (m *Market) trades(ctx context.Context, reach agent.Reach, server string, wanted deed) bool {
	for _, one := range trades() {
		if one.deed == wanted && one.server == server {
			_, known := m.cfg.Catalogue.Safety(ctx, reach, server, one.tool)
			return known
		}
	}
	return false
}

// order is a deed that is asked for, in the terms that decide who does it.
type order struct {
	deed deed
	// method is how a charge is to be paid; empty for other deeds.
	method string
	// fits says why a server cannot do it in this case; empty when it can.
	fits func(server string) string
}

// pick decides which server does a deed: the one that the session's routes name,
// otherwise the first of the session's that can, whether the tenant still has it
// or not. What a worker has begun at one server, another is not to begin at a
// second because the tenant was changed meanwhile.
func (r *run) pick(ctx context.Context, wanted order) (string, error) {
	if named := routed(r.call.Reach.Tenant.Routes, wanted.deed, wanted.method); named != "" {
		switch {
		case !r.call.Reach.Has(named):
			return "", r.refuse(events.FaultServerNotInSession, "the session's routes send this to %s, which is not connected to this session", named)
		case !r.market.trades(ctx, r.call.Reach, named, wanted.deed):
			return "", r.refuse(events.FaultUnknownTool, "the session's routes send this to %s, which has no tools for it", named)
		case wanted.fits != nil && wanted.fits(named) != "":
			return "", r.refuse(events.FaultInvalidArguments, "the session's routes send this to %s: %s", named, wanted.fits(named))
		}
		return named, nil
	}
	var reasons []string
	for _, server := range r.call.Reach.Opened {
		if !r.market.trades(ctx, r.call.Reach, server, wanted.deed) {
			continue
		}
		reason := ""
		if wanted.fits != nil {
			reason = wanted.fits(server)
		}
		if reason == "" && !r.call.Reach.Has(server) {
			return "", r.refuse(events.FaultServerNotInSession, "this session sends it to %s, which is not connected any more", server)
		}
		if reason == "" {
			return server, nil
		}
		reasons = append(reasons, server+": "+reason)
	}
	if len(reasons) == 0 {
		return "", r.refuse(events.FaultServerNotInSession, "no server of this session can do it; it has %s", strings.Join(r.call.Reach.Servers, ", "))
	}
	return "", r.refuse(events.FaultInvalidArguments, "no server of this session can do it: %s", strings.Join(reasons, "; "))
}

// routed is the server that routes name for a deed; empty for none.
func routed(routes tenant.Routes, wanted deed, method string) string {
	name := string(wanted)
	if wanted == deedCharge {
		name += "." + method
	}
	return routes.Named()[name]
}

// CheckRoutes joins the faults of a tenant's routes: each has to name a server
// that has a recipe for what is routed to it. That the tenant has the server
// is the tenant's own rule.
func CheckRoutes(customer tenant.Tenant) error {
	var faults []error
	named := customer.Routes.Named()
	for _, name := range slices.Sorted(maps.Keys(named)) {
		wanted, _, _ := strings.Cut(name, ".")
		able := make([]string, 0, 2)
		for _, one := range trades() {
			if one.deed == deed(wanted) {
				able = append(able, one.server)
			}
		}
		if !slices.Contains(able, named[name]) {
			faults = append(faults, fmt.Errorf("routes.%s: %q cannot do it; %s can", name, named[name], strings.Join(able, ", ")))
		}
	}
	return errors.Join(faults...)
}
