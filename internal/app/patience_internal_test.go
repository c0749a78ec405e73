package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAStartIsPatientWithASilentBroker(t *testing.T) {
	t.Parallel()
	silent := fmt.Errorf("opening a bucket: %w", context.DeadlineExceeded)
	refused := errors.New("no such bucket")
	for name, test := range map[string]struct {
		answers []error // the last one again and again
		tries   int     // 0 for as many as there is time for
		want    error
	}{
		"an answer at once":    {answers: []error{nil}, tries: 1},
		"an answer at last":    {answers: []error{silent, silent, nil}, tries: 3},
		"a refusal":            {answers: []error{refused}, tries: 1, want: refused},
		"silence, a refusal":   {answers: []error{silent, refused}, tries: 2, want: refused},
		"silence for a minute": {answers: []error{silent}, want: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, tries, began := &kit{log: slog.New(slog.DiscardHandler)}, 0, time.Now()
				err := k.patiently(t.Context(), func() error {
					answer := test.answers[min(tries, len(test.answers)-1)]
					tries++
					return answer
				})
				require.ErrorIs(t, err, test.want)
				if test.tries > 0 {
					require.Equal(t, test.tries, tries)
				} else {
					require.Greater(t, tries, 5)
					require.InDelta(t, startTime, time.Since(began), float64(startTime/2))
				}
			})
		})
	}
}

func TestAStartThatIsCalledOffWaitsForNoBroker(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	k, tries := &kit{log: slog.New(slog.DiscardHandler)}, 0
	err := k.patiently(ctx, func() error {
		tries++
		cancel()
		return context.DeadlineExceeded
	})
	require.Error(t, err)
	require.Equal(t, 1, tries)
}
