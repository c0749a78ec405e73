package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/feira-dev/feira/internal/outcome"
)

// FailureGrace is how long the parts of a [Group] have to end their work when
// one of them has failed. A stop that comes meanwhile may cut it short.
const FailureGrace = 20 * time.Second

// Group is a [Part] of parts. It starts them in order, each when the one
// before it is serving, and stops them in reverse order, each when the one
// after it has stopped; so a part may use those before it as long as it lives,
// through a hard stop as well.
//
// It fails fast: when a part cannot start, or ends of itself with an error,
// the group stops the others and ends with that error. A part that ends of
// itself without an error has done its work; the others go on.
//
// A group without parts serves nothing until it is stopped.
type Group struct {
	runner *Runner
	parts  []Part
}

// NewGroup returns an idle group of idle parts, which it owns from now on.
func NewGroup(name string, parts ...Part) *Group {
	g := &Group{parts: slices.Clone(parts)}
	g.runner = NewRunner(name, g.run)
	return g
}

// Name implements [Part].
func (g *Group) Name() string { return g.runner.Name() }

// Start implements [Part].
func (g *Group) Start(ctx context.Context) error { return g.runner.Start(ctx) }

// Stop implements [Part].
func (g *Group) Stop(ctx context.Context) error { return g.runner.Stop(ctx) }

// Done implements [Part].
func (g *Group) Done() <-chan struct{} { return g.runner.Done() }

// Err implements [Part]. It names the part that failed.
func (g *Group) Err() error { return g.runner.Err() }

func (g *Group) run(fetch, work context.Context, ready func()) error {
	// ending ends when the group is to stop; its cause tells why.
	ending, end := context.WithCancelCause(fetch)
	defer end(nil)
	lives, err := g.startAll(ending, end)
	if err == nil && ending.Err() == nil {
		ready()
		<-ending.Done()
	}
	grace, cancel := work, context.CancelFunc(func() {})
	if fetch.Err() == nil {
		grace, cancel = context.WithTimeout(work, FailureGrace)
	}
	defer cancel()
	for _, life := range slices.Backward(lives) {
		err = errors.Join(err, life.stop(grace))
	}
	return err
}

// startAll starts parts until one cannot start, one that has been started
// fails, or the group is stopped.
func (g *Group) startAll(ending context.Context, end context.CancelCauseFunc) ([]*life, error) {
	lives := make([]*life, 0, len(g.parts))
	for _, part := range g.parts {
		if ending.Err() != nil {
			return lives, nil
		}
		life := &life{part: part}
		lives = append(lives, life)
		if err := life.start(ending, end); err != nil {
			if ending.Err() != nil {
				return lives, nil // the start was called off; what did so is told elsewhere
			}
			life.refused = true
			return lives, fmt.Errorf("starting part %q: %w", part.Name(), err)
		}
	}
	return lives, nil
}

// life is a part from its start to its stop.
type life struct {
	part    Part
	cancel  context.CancelCauseFunc
	watch   sync.WaitGroup
	refused bool // Start's error has been told; Err would tell it again
}

// start gives the part a context of its own, because the group's may not end
// all parts at one time. A part that is still starting when the group ends is
// stopped hard: it has no work yet.
func (l *life) start(ending context.Context, end context.CancelCauseFunc) error {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ending))
	l.cancel = cancel
	release := context.AfterFunc(ending, func() { cancel(outcome.ErrStopping) })
	defer release()
	if err := l.part.Start(ctx); err != nil {
		return err
	}
	l.watch.Go(func() {
		<-l.part.Done()
		if err := l.part.Err(); err != nil {
			end(err)
		}
	})
	return nil
}

// stop returns what the part failed with. That its work was cut short is no
// failure: whoever asked for it knows.
func (l *life) stop(ctx context.Context) error {
	_ = l.part.Stop(ctx)
	l.watch.Wait()
	l.cancel(outcome.ErrStopping)
	if err := l.part.Err(); err != nil && !l.refused {
		return fmt.Errorf("part %q: %w", l.part.Name(), err)
	}
	return nil
}
