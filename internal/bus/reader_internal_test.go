package bus

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// A real broker leaves no gap on demand.
func TestReaderStopsAtAGap(t *testing.T) {
	t.Parallel()
	message := func(stream, consumer string) *nats.Msg {
		return &nats.Msg{
			Subject: events.RequestsSubject("acme"), Sub: &nats.Subscription{},
			Reply: "$JS.ACK.REQUESTS.c.1." + stream + "." + consumer + ".1700000000000000000.0",
		}
	}
	session := readerSession{reader: &reader{}, puller: &puller{left: 10}}
	require.NoError(t, session.take(message("7", "1")))
	require.NoError(t, session.take(message("9", "2")), "the stream may have holes, the delivery may not")
	require.ErrorIs(t, session.take(message("11", "4")), errGap)
	require.Len(t, session.batch, 2)
	require.Equal(t, 7, session.puller.left)
}
