package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/feira-dev/feira/internal/outcome"
)

// RunFunc is the loop of a part. It calls ready once it serves, as often as it
// likes, and returns when it has nothing left to do after fetch has ended.
//
// fetch ends at a stop: take in nothing new. work ends only at a hard stop:
// give up what is running. Both end with the cause [outcome.ErrStopping] and
// carry the values of Start's context. fetch never outlives work.
//
// A loop that does not return once work has ended holds up Stop for ever.
// Returning a stop's own error (one that is [outcome.ErrStopping] or
// [context.Canceled]) counts as returning nil.
type RunFunc = func(fetch, work context.Context, ready func()) error

// Runner is a [Part] that is one loop in one goroutine. A panic of the loop is
// its error; the process lives.
type Runner struct {
	name string
	run  RunFunc

	ready chan struct{} // closed by the loop when it serves
	done  chan struct{} // closed when the loop has returned, or never will start

	mu        sync.Mutex // guards what follows
	started   bool
	stopped   bool // done is closed
	stopFetch context.CancelCauseFunc
	stopWork  context.CancelCauseFunc
	err       error
}

// NewRunner returns an idle part of this name, whose loop is run.
func NewRunner(name string, run RunFunc) *Runner {
	return &Runner{name: name, run: run, ready: make(chan struct{}), done: make(chan struct{})}
}

// Name implements [Part].
func (r *Runner) Name() string { return r.name }

// Done implements [Part].
func (r *Runner) Done() <-chan struct{} { return r.done }

// Err implements [Part].
func (r *Runner) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Start implements [Part]. Of several calls the first one's context is the
// part's; those of the others bound their own waiting only. When the context
// ends before the loop is ready, Start returns at once, and the loop winds
// down behind it: Done tells when. A loop that fails before it is ready is
// the error of the call that started it, as it is.
func (r *Runner) Start(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	launched := r.launch(ctx)
	select {
	case <-r.ready:
	case <-r.done:
	case <-ctx.Done():
	}
	return r.startResult(ctx, launched)
}

// startResult looks again rather than trust the channel that woke Start,
// because several may be ready at once: stopped wins over serving, and serving
// over the end of the context.
func (r *Runner) startResult(ctx context.Context, launched bool) error {
	select {
	case <-r.done:
	default:
		select {
		case <-r.ready:
			return nil
		default:
			return context.Cause(ctx)
		}
	}
	err := r.Err()
	switch {
	case err != nil && launched:
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrStopped, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
	default:
		return ErrStopped
	}
}

// launch reports whether it is this call that started the loop.
func (r *Runner) launch(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.stopped {
		return false
	}
	r.started = true
	work, stopWork := context.WithCancelCause(context.WithoutCancel(ctx))
	fetch, stopFetch := context.WithCancelCause(work)
	r.stopFetch, r.stopWork = stopFetch, stopWork
	release := context.AfterFunc(ctx, func() { stopWork(outcome.ErrStopping) })
	go func() {
		defer release()
		r.loop(fetch, work)
	}()
	return true
}

// loop ends the part however the loop ends: by returning, by a panic, or by
// taking its goroutine away.
func (r *Runner) loop(fetch, work context.Context) {
	err := error(&PanicError{Value: "the loop ended its goroutine"})
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		r.finish(fetch, err)
	}()
	err = r.run(fetch, work, sync.OnceFunc(func() { close(r.ready) }))
}

func (r *Runner) finish(fetch context.Context, err error) {
	if fetch.Err() != nil && (errors.Is(err, outcome.ErrStopping) || errors.Is(err, context.Canceled)) {
		err = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopWork(outcome.ErrStopping) // frees both contexts
	r.err = err
	r.stopped = true
	close(r.done)
}

// Stop implements [Part].
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return nil
	}
	if !r.started {
		r.stopped = true
		close(r.done)
		r.mu.Unlock()
		return nil
	}
	r.mu.Unlock()

	r.stopFetch(outcome.ErrStopping)
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	r.stopWork(outcome.ErrStopping)
	<-r.done
	return fmt.Errorf("cutting work short: %w", context.Cause(ctx))
}
