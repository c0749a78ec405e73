package tenant_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/gcra"
	"github.com/feira-dev/feira/internal/tenant"
)

func TestAPIRate(t *testing.T) {
	t.Parallel()
	customer := tenant.Tenant{ID: "acme", Servers: []string{"stripe"}}.WithDefaults()
	require.Equal(t, gcra.Limit{Rate: 300, Burst: 300, Period: time.Minute}, customer.APILimit())
	for rate, good := range map[int]bool{-1: false, 0: true, 1: true, tenant.MaxRate: true, tenant.MaxRate + 1: false} {
		customer.APIRate = rate
		err := customer.Validate()
		if !good {
			require.ErrorIs(t, err, tenant.ErrInvalid)
			require.ErrorContains(t, err, "api_rate is")
			continue
		}
		require.NoError(t, err)
		require.NoError(t, customer.APILimit().Validate())
	}
	var fromYAML, fromJSON tenant.Tenant
	require.NoError(t, yaml.Unmarshal([]byte("{api_rate: 1000}"), &fromYAML))
	require.NoError(t, json.Unmarshal([]byte(`{"api_rate": 1000}`), &fromJSON))
	require.Equal(t, 1000, fromYAML.APIRate)
	require.Equal(t, fromYAML, fromJSON)
}
