package tenant_test

import (
	"encoding/json"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/tenant"
)

// Every route has to name one of the tenant's servers; each fault its field.
func TestRoutesNameServersOfTheTenant(t *testing.T) {
	t.Parallel()
	for field, set := range map[string]func(*tenant.Routes, string){
		"charge.pix":    func(r *tenant.Routes, server string) { r.Charge.Pix = server },
		"charge.boleto": func(r *tenant.Routes, server string) { r.Charge.Boleto = server },
		"charge.card":   func(r *tenant.Routes, server string) { r.Charge.Card = server },
		"pay":           func(r *tenant.Routes, server string) { r.Pay = server },
		"ship":          func(r *tenant.Routes, server string) { r.Ship = server },
		"notify":        func(r *tenant.Routes, server string) { r.Notify = server },
		"invoice":       func(r *tenant.Routes, server string) { r.Invoice = server },
	} {
		require.NoError(t, acme(func(t *tenant.Tenant) { set(&t.Routes, "stripe") }).Validate(), field)
		err := acme(func(t *tenant.Tenant) { set(&t.Routes, "asaas") }).Validate()
		require.ErrorIs(t, err, tenant.ErrInvalid)
		require.ErrorContains(t, err, "routes."+field+" is \"asaas\"")
	}
}

func TestRoutesTravel(t *testing.T) {
	t.Parallel()
	var read tenant.Tenant
	require.NoError(t, yaml.UnmarshalWithOptions([]byte("routes: {charge: {pix: asaas, card: stripe}, ship: correios}"), &read, yaml.Strict()))
	require.Equal(t, tenant.Routes{Charge: tenant.ChargeRoutes{Pix: "asaas", Card: "stripe"}, Ship: "correios"}, read.Routes)
	text, err := json.Marshal(read)
	require.NoError(t, err)
	var again tenant.Tenant
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, read.Routes, again.Routes)
	text, err = json.Marshal(acme(nil))
	require.NoError(t, err)
	require.NotContains(t, string(text), "routes")
}
