package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// read makes of a message in binary mode what the CloudEvents SDK's bindings
// make of it: each Ce- header is an attribute, Content-Type the data's.
func read(t *testing.T, message events.Message) event.Event {
	t.Helper()
	result := event.New(message.Header.Value(events.HeaderSpecVersion))
	for key := range message.Header {
		value := message.Header.Value(key)
		attribute, ok := strings.CutPrefix(strings.ToLower(key), "ce-")
		if !ok {
			continue
		}
		switch attribute {
		case "specversion":
		case "id":
			result.SetID(value)
		case "source":
			result.SetSource(value)
		case "type":
			result.SetType(value)
		case "subject":
			result.SetSubject(value)
		case "time":
			at, err := time.Parse(time.RFC3339Nano, value)
			require.NoError(t, err)
			result.SetTime(at)
		default:
			result.SetExtension(attribute, value)
		}
	}
	require.NoError(t, result.SetData(message.Header.Value(events.HeaderContentType), message.Data))
	return result
}

// TestCloudEventsReadersAccept takes the CloudEvents SDK as the judge of what
// Feira writes.
func TestCloudEventsReadersAccept(t *testing.T) {
	t.Parallel()
	for name, variants := range examples(t, "events") {
		for variant, example := range variants {
			message := example.message(t)
			record, err := events.Decode(message)
			require.NoError(t, err)
			written, err := events.Encode(message.Subject, record.Envelope, record.Event)
			require.NoError(t, err)

			result := read(t, written)
			require.NoError(t, result.Validate(), "%s %s", name, variant)
			require.Equal(t, name, result.Type())
			require.Equal(t, record.ID, result.ID())
			require.Equal(t, string(record.Tenant), result.Subject())
			require.True(t, record.Time.Equal(result.Time()))
			require.Equal(t, string(record.Tenant), result.Extensions()["tenantid"])
			require.JSONEq(t, string(message.Data), string(result.Data()))
		}
	}
}
