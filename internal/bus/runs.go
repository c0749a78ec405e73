package bus

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// lagWait is how long a lagging replica has before it is asked again, and
// lagPatience how many time-outs it has to catch up.
const (
	lagWait     = 20 * time.Millisecond
	lagPatience = 6
)

// Runs is what the scheduler has granted and workers have not ended yet. It is
// safe for concurrent use.
type Runs struct{ bus *Bus }

// Runs returns the stream of runs.
func (b *Bus) Runs() *Runs { return &Runs{bus: b} }

// Grant publishes a run, provided that expected is still the stream's last
// sequence, and does not wait: done hears of the outcome, exactly once, from a
// goroutine of the client's, and should not block. Grants of one goroutine
// reach the broker in order, so the next one may expect this one's sequence
// before it is known.
//
// done's errors wrap events.ErrOutstanding, events.ErrStaleGrant or
// events.ErrUncertainGrant. When Grant itself returns an error, nothing was
// published and done is not called; it wraps [ErrBusy] when too many grants are
// on their way.
func (r *Runs) Grant(run events.Run, expected uint64, done func(sequence uint64, err error)) error {
	message := run.Message()
	message.Header[jetstream.ExpectedLastSeqHeader] = []string{strconv.FormatUint(expected, 10)}
	return r.bus.grants.publish(outbound(message), done)
}

// Places lists where runs stand, on the leader's word: the cheap half of
// [Runs.Outstanding].
func (r *Runs) Places(ctx context.Context) (map[events.Place]struct{}, error) {
	_, subjects, err := r.bus.subjects(ctx, events.StreamRuns, events.SubjectAllRuns)
	if err != nil {
		return nil, err
	}
	places := make(map[events.Place]struct{}, len(subjects))
	for subject := range subjects {
		if tenant, key, err := events.SubjectRun(subject); err == nil {
			places[events.Place{Tenant: tenant, Key: key}] = struct{}{}
		}
	}
	return places, nil
}

// Outstanding lists every run that is granted and not ended, in the order of
// their grants, and the stream's last sequence from before they were listed. So
// a grant of somebody else that came between makes last stale, and the next
// [Runs.Grant] after it is refused.
func (r *Runs) Outstanding(ctx context.Context) (runs []events.Run, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, lagPatience*r.bus.config.Timeout)
	defer cancel()
	last, subjects, err := r.bus.subjects(ctx, events.StreamRuns, events.SubjectAllRuns)
	if err != nil {
		return nil, 0, err
	}
	for {
		held := make(map[string]events.Message, len(subjects))
		err := r.bus.scan(ctx, events.StreamRuns, directQuery{Subject: events.SubjectAllRuns}, func(message events.Message) {
			held[message.Subject] = message
		})
		if err != nil {
			return nil, 0, fmt.Errorf("reading %s: %w", events.StreamRuns, err)
		}
		missing := 0
		for subject := range subjects {
			if _, ok := held[subject]; !ok {
				missing++
			}
		}
		if missing == 0 {
			return r.parse(ctx, held), last, nil
		}
		// Either the runs have ended meanwhile, or the replica lags behind: the
		// leader's list tells in the next round.
		if subjects, err = r.again(ctx, held, subjects); err != nil {
			return nil, 0, err
		}
		if len(subjects) == 0 {
			return r.parse(ctx, held), last, nil
		}
	}
}

// again returns those of the subjects that the leader still lists though the
// replica did not have them, after a wait, or none.
func (r *Runs) again(ctx context.Context, held map[string]events.Message, subjects map[string]uint64) (map[string]uint64, error) {
	_, now, err := r.bus.subjects(ctx, events.StreamRuns, events.SubjectAllRuns)
	if err != nil {
		return nil, err
	}
	missing := make(map[string]uint64)
	for subject := range subjects {
		if _, ok := held[subject]; ok {
			continue
		}
		if _, ok := now[subject]; ok {
			missing[subject] = 1
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	timer := time.NewTimer(lagWait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: a replica of %s lacks %d runs: %w", ErrIncomplete, events.StreamRuns, len(missing), context.Cause(ctx))
	case <-timer.C:
		return missing, nil
	}
}

// parse leaves out what cannot be read: the worker that takes it buries it.
func (r *Runs) parse(ctx context.Context, held map[string]events.Message) []events.Run {
	messages := make([]events.Message, 0, len(held))
	for _, message := range held {
		messages = append(messages, message)
	}
	slices.SortFunc(messages, func(a, b events.Message) int { return cmp.Compare(a.Sequence, b.Sequence) })
	runs := make([]events.Run, 0, len(messages))
	for _, message := range messages {
		if events.IsSpacer(message.Subject) {
			continue
		}
		run, err := events.ParseRun(message)
		if err != nil {
			r.bus.config.Logger.ErrorContext(ctx, "run cannot be read", slog.String("subject", message.Subject),
				slog.Uint64("sequence", message.Sequence), slog.Any("error", err))
			continue
		}
		runs = append(runs, run)
	}
	return runs
}
