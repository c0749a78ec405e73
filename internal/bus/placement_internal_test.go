package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestAClusterThatIsNotSettledIsAskedAgain(t *testing.T) {
	t.Parallel()
	noPeers := fmt.Errorf("opening stream S: %w", &jetstream.APIError{Code: 400, ErrorCode: codeNoPeers, Description: "no suitable peers for placement"})
	noLeader := &jetstream.APIError{Code: 503, ErrorCode: codeNoLeader, Description: "JetStream system temporarily unavailable"}
	notAllowed := &jetstream.APIError{Code: 500, ErrorCode: 10074, Description: "replicas > 1 not supported in non-clustered mode"}
	for name, test := range map[string]struct {
		answers []error // the last one again and again
		tries   int     // 0 for as many as there is time for
		want    error
	}{
		"made at once":           {answers: []error{nil}, tries: 1},
		"made at last":           {answers: []error{noLeader, noPeers, noPeers, nil}, tries: 4},
		"a refusal that stays":   {answers: []error{notAllowed}, tries: 1, want: notAllowed},
		"one after another":      {answers: []error{noPeers, notAllowed}, tries: 2, want: notAllowed},
		"silence":                {answers: []error{context.DeadlineExceeded}, tries: 1, want: context.DeadlineExceeded},
		"too few nodes for ever": {answers: []error{noPeers}, want: noPeers},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, tries, began := quietBus(), 0, time.Now()
				err := b.UntilPlaced(t.Context(), func() error {
					answer := test.answers[min(tries, len(test.answers)-1)]
					tries++
					return answer
				})
				require.ErrorIs(t, err, test.want)
				if test.tries > 0 {
					require.Equal(t, test.tries, tries)
					return
				}
				require.Greater(t, tries, 10)
				require.LessOrEqual(t, time.Since(began), placePatience)
				require.Greater(t, time.Since(began), placePatience/2)
			})
		})
	}
}

func TestAPlacementThatIsCalledOffSaysWhyAndWhatFor(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	noPeers := &jetstream.APIError{Code: 400, ErrorCode: codeNoPeers, Description: "no suitable peers for placement"}
	ctx, cancel := context.WithCancelCause(t.Context())
	tries := 0
	err := quietBus().UntilPlaced(ctx, func() error {
		tries++
		cancel(enough)
		return noPeers
	})
	require.ErrorIs(t, err, enough)
	require.ErrorIs(t, err, noPeers)
	require.Equal(t, 1, tries)
}

func quietBus() *Bus { return &Bus{config: Config{Logger: slog.New(slog.DiscardHandler)}} }
