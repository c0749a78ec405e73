package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestWhatWaitsBehindATurnIsCancelledBeforeIt(t *testing.T) {
	t.Parallel()
	turn := func(sequence uint64, session events.SessionID) events.RequestHead {
		return events.RequestHead{Sequence: sequence, Session: session, Kind: events.KindTurn}
	}
	call := func(sequence uint64, session events.SessionID) events.RequestHead {
		return events.RequestHead{Sequence: sequence, Session: session, Kind: events.KindCall}
	}
	for name, test := range map[string]struct{ heads, first, then []events.RequestHead }{
		"nothing":      {},
		"one":          {heads: []events.RequestHead{turn(1, "a")}, then: []events.RequestHead{turn(1, "a")}},
		"two sessions": {heads: []events.RequestHead{turn(1, "a"), turn(2, "b")}, then: []events.RequestHead{turn(1, "a"), turn(2, "b")}},
		"a queue": {
			heads: []events.RequestHead{turn(1, "a"), turn(2, "b"), turn(3, "a"), turn(4, "a"), turn(5, "b")},
			first: []events.RequestHead{turn(3, "a"), turn(4, "a"), turn(5, "b")},
			then:  []events.RequestHead{turn(1, "a"), turn(2, "b")},
		},
		"calls wait for no turn": {
			heads: []events.RequestHead{call(1, "a"), turn(2, "a"), call(3, "a"), turn(4, "a")},
			first: []events.RequestHead{turn(4, "a")},
			then:  []events.RequestHead{call(1, "a"), turn(2, "a"), call(3, "a")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parted := waves(test.heads)
			require.Equal(t, test.first, parted[0])
			require.Equal(t, test.then, parted[1])
		})
	}
}
