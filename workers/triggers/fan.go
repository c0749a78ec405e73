package triggers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// Fan turns facts into deliveries, one process at a time. It is a
// [lifecycle.Part]; one that stands by is as good as started.
//
//	read a batch ─► store its deliveries, object by object in order ─► move the cursor
//
// The cursor is behind what is stored, never before it, so whoever goes on tells
// a few facts again, and the broker stores their deliveries once: their ids
// follow from the facts. Taking over writes the cursor, so that a process that
// was frozen meanwhile can move it no more; what it had in its hands to store is
// either stored already, under the same id, or the tenure's clock keeps it back.
// One thing remains: a process that freezes in the middle of storing, for longer
// than the broker remembers ids, may have those few told again when it wakes.
type Fan struct {
	*lifecycle.Runner

	config FanConfig
}

// NewFan returns an idle fan.
func NewFan(config FanConfig) (*Fan, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	f := &Fan{config: config}
	serving := term{
		what: "reading the log", id: config.ID, lease: config.Lease, retry: config.Retry, within: config.Timeout, logger: config.Logger,
		serve: f.serve,
	}
	f.Runner = lifecycle.NewRunner("triggers fan", serving.run)
	return f, nil
}

// reading is one tenure's place in the log. It belongs to one goroutine.
type reading struct {
	config   FanConfig
	tenure   Tenure
	done     uint64 // all up to there is stored
	saved    uint64 // and the cursor says so
	revision uint64
}

// claimTries is how often a cursor is taken from somebody who moves it meanwhile.
const claimTries = 8

// claim takes the cursor from whoever had it.
func (r *reading) claim(ctx context.Context) error {
	for try := 1; ; try++ {
		sequence, revision, err := r.config.Cursor.Load(ctx)
		if err == nil {
			r.done, r.saved = sequence, sequence
			r.revision, err = r.config.Cursor.Save(ctx, sequence, revision)
		}
		if errors.Is(err, ErrDeposed) && try < claimTries {
			continue
		}
		if err != nil {
			return fmt.Errorf("taking the cursor: %w", err)
		}
		return nil
	}
}

func (r *reading) save(ctx context.Context) error {
	if r.saved == r.done {
		return nil
	}
	revision, err := r.config.Cursor.Save(ctx, r.done, r.revision)
	if err != nil {
		return fmt.Errorf("moving the cursor to %d: %w", r.done, err)
	}
	r.saved, r.revision = r.done, revision
	return nil
}

// prepared is a batch of facts as deliveries.
type prepared struct {
	out     []events.Message
	facts   int
	through uint64
}

// serve reads and stores side by side: while deliveries of a batch are stored,
// those of the next are made.
func (f *Fan) serve(taking, working context.Context, tenure Tenure) error {
	r := &reading{config: f.config, tenure: tenure}
	if err := r.claim(taking); err != nil {
		return err
	}
	watching, stop := context.WithCancel(taking)
	ready, failed := make(chan prepared), make(chan error, 1)
	ended := make(chan struct{})
	after := r.done
	go func() {
		defer close(ended)
		err := f.config.Facts.Headlines(watching, after, func(batch []events.Headline, _ bool) error {
			made, err := f.prepare(watching, batch)
			if err != nil || made.facts == 0 {
				return err
			}
			select {
			case ready <- made:
				return nil
			case <-watching.Done():
				return context.Cause(watching)
			}
		})
		if watching.Err() == nil {
			failed <- errors.Join(errors.New("the log ended"), err)
		}
	}()
	defer func() { stop(); <-ended }()
	return r.loop(taking, working, ready, failed)
}

func (r *reading) loop(taking, working context.Context, ready <-chan prepared, failed <-chan error) error {
	tick := time.NewTicker(r.config.Save)
	defer tick.Stop()
	for {
		select {
		case <-taking.Done():
			return r.last(working)
		case err := <-failed:
			return err
		case made := <-ready:
			if err := r.store(working, made); err != nil {
				return err
			}
			if len(made.out) == 0 {
				continue // the ticker moves the cursor
			}
		case <-tick.C:
		}
		if err := r.save(working); err != nil {
			return err
		}
	}
}

// last moves the cursor at a stop, so that whoever is next tells nothing again.
func (r *reading) last(working context.Context) error {
	if !r.tenure.Valid() {
		return nil
	}
	ctx, cancel := context.WithTimeout(working, r.config.Timeout)
	defer cancel()
	return r.save(ctx)
}

// store has the deliveries of a batch stored, all of them, and in order where
// order matters.
func (r *reading) store(ctx context.Context, made prepared) error {
	for _, wave := range waves(made.out) {
		if !r.tenure.Valid() {
			return fmt.Errorf("storing deliveries: %w", ErrDeposed)
		}
		if err := r.config.Publisher.Publish(ctx, wave); err != nil {
			return fmt.Errorf("storing deliveries: %w", err)
		}
	}
	r.done = made.through
	r.config.Observer.Read(made.facts, len(made.out))
	r.config.Logger.DebugContext(ctx, "facts are told", slog.Int("facts", made.facts), slog.Int("deliveries", len(made.out)), slog.Uint64("through", r.done))
	return nil
}
