package metering

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// Whoever reads, the batch has every message in its place.
func TestReadingByManyIsReadingByOne(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, readAlone, 2*readAlone - 1, 2 * readAlone, 2*readAlone + 1, 10 * readAlone} {
		var messages []events.Message
		for i := range size {
			env, event, ok := usage.FromRecord(events.Record{
				Envelope: events.Envelope{Tenant: "acme", Session: "ses_1", Request: events.RequestID("req_" + strconv.Itoa(i))},
				Event:    &events.ToolReturned{Server: "asaas", Tool: "quote", Status: events.ToolOK},
			}, usage.SessionFacts{Environment: events.EnvironmentTest})
			require.True(t, ok)
			message, err := events.Encode(events.UsageSubject("acme", event.Meter), env, event)
			require.NoError(t, err)
			if i%7 == 3 {
				message.Data = []byte("{" + strconv.Itoa(i))
			}
			message.Sequence = uint64(i + 1)
			messages = append(messages, message)
		}
		require.Equal(t, usage.ReadBatch(messages), readAll(messages), size)
	}
}
