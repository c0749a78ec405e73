package bus_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

func usageOf(t *testing.T, tenant events.TenantID, n int) events.Message {
	t.Helper()
	message, err := events.Encode(events.UsageSubject(tenant, events.MeterToolCall), events.Envelope{
		ID: strconv.Itoa(n), Source: events.SessionSource(tenant, "s1"), Time: time.Unix(1_700_000_000, 0), Tenant: tenant, Session: "s1",
	}, &events.UsageRecorded{
		Meter: events.MeterToolCall, Session: "s1", Outcome: "ok", Environment: events.EnvironmentTest,
		Quantities: []events.Quantity{{Unit: events.UnitCall, Amount: "1"}},
	})
	require.NoError(t, err)
	return message
}

func TestUsageIsStoredOnceForEachFact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var batch []events.Message
	for n := range 500 {
		batch = append(batch, usageOf(t, acme, n), usageOf(t, globex, n))
	}
	require.NoError(t, b.bus.Usage().Publish(t.Context(), batch))
	require.EqualValues(t, len(batch), b.count(t, events.StreamUsage), "stored when it returns; tenants do not swallow each other's")
	require.NoError(t, b.bus.Usage().Publish(t.Context(), batch[:100]))
	require.EqualValues(t, len(batch), b.count(t, events.StreamUsage))
	require.NoError(t, b.bus.Usage().Publish(t.Context(), nil))
}

func TestUsageNamesWhatIsNotStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	large := usageOf(t, acme, 1)
	large.Data = make([]byte, events.MaxMessageBytes)
	err := b.bus.Usage().Publish(t.Context(), []events.Message{usageOf(t, acme, 0), large})
	require.ErrorIs(t, err, events.ErrTooLarge)
	require.ErrorContains(t, err, large.Subject)
	require.NoError(t, b.js.DeleteStream(t.Context(), events.StreamUsage))
	err = b.bus.Usage().Publish(t.Context(), []events.Message{usageOf(t, acme, 2)})
	require.Error(t, err)
	require.NotErrorIs(t, err, bus.ErrUncertain)
}
