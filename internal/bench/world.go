package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

const (
	// producers is how many publishers wait for the broker's word at one time
	// when a queue is filled.
	producers = 128
	// embeddedBacklog is no bound: what is measured is not how requests are refused.
	embeddedBacklog = 1 << 40
	// partStop bounds the stop of one part of a world.
	partStop = 10 * time.Second
	// listen is how long an outer broker is listened to for workers.
	listen = events.WorkerAnnounce + events.WorkerAnnounce/2
)

// world is a broker with its streams, and what a bench has started on it. It
// belongs to the goroutine of the bench.
type world struct {
	config  Config
	url     string
	bus     *bus.Bus // the producers'
	tenants []tenant.Tenant
	undo    []func(context.Context)
}

// open makes an empty world, or refuses an outer broker that is not empty.
func open(ctx context.Context, config Config) (*world, error) {
	w := &world{config: config, url: config.URL}
	if err := w.begin(ctx); err != nil {
		w.close(ctx)
		return nil, err
	}
	return w, nil
}

func (w *world) begin(ctx context.Context) error {
	topology := bus.Topology{}
	if w.url == "" {
		// A user with a hash: for one without a password the server keeps a plain
		// one, and warns of it.
		w.config.User, w.config.Password = "bench", rand.Text()
		server, err := natsd.New(natsd.Config{
			Users: []natsd.User{natsd.OperatorUser(w.config.User, w.config.Password)}, Logger: w.config.Logger,
		})
		if err != nil {
			return err
		}
		if err := w.start(ctx, server); err != nil {
			return err
		}
		w.url, topology.Backlog = server.ClientURL(), embeddedBacklog
	}
	producer, err := w.connect(ctx)
	if err != nil {
		return err
	}
	w.bus = producer
	drifts, err := producer.Provision(ctx, topology)
	if err != nil {
		return err
	}
	for _, drift := range drifts {
		w.say("the broker differs from what is wanted: %v", drift)
	}
	if w.config.URL == "" {
		return nil
	}
	if err := w.expectNobody(ctx); err != nil {
		return err
	}
	w.later(w.sweep)
	return nil
}

// close undoes everything, the latest first, with what an undoing begins.
func (w *world) close(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for last := len(w.undo) - 1; last >= 0; last = len(w.undo) - 1 {
		undo := w.undo[last]
		w.undo = w.undo[:last]
		undo(ctx)
	}
}

func (w *world) later(undo func(context.Context)) { w.undo = append(w.undo, undo) }

func (w *world) say(format string, args ...any) {
	w.config.Progress("  " + fmt.Sprintf(format, args...))
}

// start starts a part that the world stops.
func (w *world) start(ctx context.Context, part lifecycle.Part) error {
	if err := part.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting %s: %w", part.Name(), err)
	}
	w.later(func(ctx context.Context) { w.stop(ctx, part) })
	return nil
}

func (w *world) stop(ctx context.Context, part lifecycle.Part) {
	ctx, cancel := context.WithTimeout(ctx, partStop)
	defer cancel()
	if err := part.Stop(ctx); err != nil {
		w.config.Logger.WarnContext(ctx, "stopping a part", "part", part.Name(), "error", err)
	}
}

// connect opens a connection of its own, as each role of a deployment has.
func (w *world) connect(ctx context.Context) (*bus.Bus, error) {
	b, err := bus.Connect(ctx, bus.Config{
		URL: w.url, User: w.config.User, Password: w.config.Password, CredsFile: w.config.CredsFile,
		Name: "feira-bench", Timeout: 30 * time.Second, Logger: w.config.Logger,
	})
	if err != nil {
		return nil, err
	}
	w.later(func(context.Context) { b.Close() })
	return b, nil
}

func (w *world) buckets(ctx context.Context) (*natskv.Client, error) {
	kv, err := natskv.Connect(ctx, natskv.Config{
		URL: w.url, User: w.config.User, Password: w.config.Password, CredsFile: w.config.CredsFile, Logger: w.config.Logger,
	})
	if err != nil {
		return nil, err
	}
	w.later(func(context.Context) { kv.Close() })
	return kv, nil
}

// expectNobody refuses a broker that others use: their schedulers and workers
// would take part, and ours would serve their requests.
func (w *world) expectNobody(ctx context.Context) error {
	heard := atomic.Int64{}
	listening, cancel := context.WithTimeout(ctx, listen)
	defer cancel()
	if err := w.bus.Hints().WatchWorkers(listening, func(events.WorkerAnnounced) { heard.Add(1) }); err != nil {
		return err
	}
	places, err := w.bus.Runs().Places(ctx)
	if err != nil {
		return err
	}
	waiting, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	<-listening.Done()
	if heard.Load() > 0 || len(places) > 0 || len(waiting) > 0 {
		return fmt.Errorf("%w: %d workers are heard of, %d runs are outstanding, %d requests are waiting", ErrInUse, heard.Load(), len(places), len(waiting))
	}
	return ctx.Err()
}

// waiting lists the sequences of all requests.
func (w *world) waiting(ctx context.Context) ([]uint64, error) {
	var found []uint64
	err := w.bus.Requests().Watch(ctx, func(batch []events.Headline, caughtUp bool) error {
		for _, headline := range batch {
			found = append(found, headline.Sequence)
		}
		if caughtUp {
			return io.EOF
		}
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return found, err
}

// sweep leaves an outer broker as empty as it was found, but for the log of
// sessions, which nobody may delete from.
func (w *world) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.config.Patience)
	defer cancel()
	found, err := w.waiting(ctx)
	if err == nil {
		err = each(ctx, len(found), func(ctx context.Context, i int) error { return w.bus.Requests().Remove(ctx, found[i]) })
	}
	if err == nil {
		err = w.takeAway(ctx)
	}
	if err != nil {
		w.config.Logger.ErrorContext(ctx, "removing what the bench left behind", slog.Any("error", err))
	}
}

// each calls work for every number below n, many at one time, until one fails.
func each(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(producers, n) {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := work(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
