package tenant_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/tenant"
)

func TestRoutesAreTheSameByName(t *testing.T) {
	t.Parallel()
	require.Nil(t, tenant.Routes{}.Named())
	named := map[string]string{
		"charge.pix": "asaas", "charge.boleto": "asaas", "charge.card": "stripe", "pay": "asaas", "ship": "correios", "notify": "z-api", "invoice": "nuvem-fiscal",
	}
	require.Equal(t, named, tenant.RoutesNamed(named).Named())
	require.Equal(t, tenant.Routes{Ship: "correios"}, tenant.RoutesNamed(map[string]string{"ship": "correios", "fly": "stripe"}))
}
