package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

const (
	// visitPeriod is how often somebody sends something by HTTP.
	visitPeriod = 10 * time.Millisecond
	// visitors is how many clients send one thing after the other.
	visitors = 64
	// sendsOfTurns is how many turns there are for each send by HTTP: a send is
	// several times as much work.
	sendsOfTurns = 4
)

// gate measures the gateway's role: how soon the first frame comes in an idle
// world, what many waiting clients cost and how soon it comes beside them, and
// how many sends a second are answered. The model answers at once, so that
// nothing of its time is in the figures.
func gate(ctx context.Context, w *world, report *Report) error {
	w.settle(1, tenant.MaxConcurrency)
	result := &HTTP{}
	entrance, err := w.staffed(ctx)
	if err != nil {
		return err
	}
	raw, err := w.visits(ctx, "raw: published and heard on the feed", w.hearing)
	if err != nil {
		return err
	}
	alone, err := w.visits(ctx, "first frame", entrance.visit(w))
	if err != nil {
		return err
	}
	err = w.rounds(func() error {
		rate, err := w.answered(ctx, entrance)
		result.RequestsAll = append(result.RequestsAll, rate)
		return err
	})
	if err != nil {
		return err
	}
	beside, err := w.crowded(ctx, entrance, result)
	if err != nil {
		return err
	}
	result.P50, result.P99, result.Samples = milliseconds(alone, 0.5), milliseconds(alone, 0.99), len(alone)
	result.RawP50, result.RawP99, result.RawSamples = milliseconds(raw, 0.5), milliseconds(raw, 0.99), len(raw)
	result.P50Ratio = ratio(result.P50, result.RawP50)
	result.BesideP50, result.BesideP99, result.BesideSamples = milliseconds(beside, 0.5), milliseconds(beside, 0.99), len(beside)
	result.RequestsPerSecond = median(result.RequestsAll)
	report.HTTP = result
	report.traces.http = []waits{{"Feira", alone}, {"beside waiting clients", beside}, {"without HTTP", raw}}
	return nil
}

// staffed is a door with a scheduler and a worker behind it.
func (w *world) staffed(ctx context.Context) (*door, error) {
	entrance, err := w.gateway(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, err := w.lead(ctx, "http"); err != nil {
		return nil, err
	}
	b, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	worker, err := w.worker(ctx, b, &atomic.Int64{})
	if err != nil {
		return nil, err
	}
	return entrance, w.pool(ctx, b, w.config.Slots, worker.Handle)
}

// visitFunc asks in a session of its own, and returns how long the first word
// of the agent took.
type visitFunc func(ctx context.Context, session events.SessionID) (time.Duration, error)

func (d *door) visit(w *world) func(ctx context.Context, n int) ([]events.SessionID, visitFunc, error) {
	return func(ctx context.Context, n int) ([]events.SessionID, visitFunc, error) {
		opened, err := d.sessions(ctx, n)
		return opened, func(ctx context.Context, session events.SessionID) (time.Duration, error) {
			ctx, cancel := context.WithTimeout(ctx, w.config.Patience)
			defer cancel()
			return d.firstFrame(ctx, session)
		}, err
	}
}

// visits sends at a steady pace, in sessions that are there before, and returns
// how long each first word took. What is slow does not put off the next. As many
// as a warm-up has are not counted.
func (w *world) visits(ctx context.Context, what string, open func(ctx context.Context, n int) ([]events.SessionID, visitFunc, error)) ([]time.Duration, error) {
	beats := max(int(w.config.Window/visitPeriod), 1)
	sessions, visit, err := open(ctx, warmUp+beats)
	if err != nil {
		return nil, err
	}
	waits := make([]time.Duration, len(sessions))
	group, visiting := errgroup.WithContext(ctx)
	ticker := time.NewTicker(visitPeriod)
	defer ticker.Stop()
	for i, session := range sessions {
		group.Go(func() (err error) {
			waits[i], err = visit(visiting, session)
			return err
		})
		select {
		case <-ticker.C:
		case <-visiting.Done():
			return nil, group.Wait()
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	waits = waits[warmUp:]
	w.say("%s: p50 %.3f ms, p99 %.3f ms of %d", what, milliseconds(waits, 0.5), milliseconds(waits, 0.99), len(waits))
	return waits, nil
}

// hearing is a visit without HTTP: the request is published, and the agent's
// first fact is heard on the feed.
func (w *world) hearing(_ context.Context, n int) ([]events.SessionID, visitFunc, error) {
	sessions := make([]events.SessionID, n)
	for i := range sessions {
		sessions[i] = events.SessionID("heard" + strconv.Itoa(i))
	}
	return sessions, func(ctx context.Context, session events.SessionID) (time.Duration, error) {
		ctx, cancel := context.WithTimeout(ctx, w.config.Patience)
		defer cancel()
		heard, once := make(chan time.Time, 1), sync.Once{}
		err := w.bus.Feed().Subscribe(ctx, tenantID(0), session, func(record events.Record) {
			if record.Type == events.TypeModelReplied {
				once.Do(func() { heard <- time.Now() })
			}
		})
		if err != nil {
			return 0, err
		}
		begun := time.Now()
		if err := w.publish(ctx, w.bus, tenantID(0), session); err != nil {
			return 0, err
		}
		select {
		case at := <-heard:
			return at.Sub(begun), nil
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: session %s: %w", ErrUnserved, session, context.Cause(ctx))
		}
	}, nil
}

// answered measures sends that are answered in JSON, by clients that each send
// again as soon as they have their answer.
func (w *world) answered(ctx context.Context, d *door) (float64, error) {
	n := max(w.config.Turns/sendsOfTurns, visitors)
	sessions, err := d.sessions(ctx, max(n/turnsOfSession, visitors))
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	group, sending := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range visitors {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := d.send(sending, sessions[i%len(sessions)]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	rate := perSecond(n, time.Since(begun))
	w.say("%.0f sends answered a second, of %d clients", rate, visitors)
	return rate, nil
}
