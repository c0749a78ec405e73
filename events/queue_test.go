package events_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestQueueQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	for limit, valid := range map[int]bool{-1: false, 0: true, 1: true, events.MaxQueueLimit: true, events.MaxQueueLimit + 1: false} {
		err := events.QueueAsked{Limit: limit}.Validate()
		if valid {
			require.NoError(t, err, limit)
			continue
		}
		require.ErrorIs(t, err, events.ErrInvalidQuestion, limit)
		require.ErrorContains(t, err, "limit is")
	}
	require.Equal(t, events.DefaultQueueLimit, events.QueueAsked{}.Most())
	require.Equal(t, 3, events.QueueAsked{Limit: 3}.Most())
	for tenant, valid := range map[events.TenantID]bool{
		"": true, "acme": true, events.IllegalTenant: true, "a.b": false, "*": false, "_x": false,
		events.TenantID(strings.Repeat("x", events.MaxTenantID)): true, events.TenantID(strings.Repeat("x", events.MaxTenantID+1)): false,
	} {
		err := events.QueueAsked{Tenant: tenant}.Validate()
		if valid {
			require.NoError(t, err, tenant)
			continue
		}
		require.ErrorIs(t, err, events.ErrInvalidQuestion, tenant)
		require.ErrorContains(t, err, "tenant")
	}
}
