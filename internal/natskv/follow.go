package natskv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/internal/lifecycle"
)

const (
	// watchPatience bounds the opening of a watch.
	watchPatience = 5 * time.Second
	// snapshotPatience bounds the reading of a whole bucket.
	snapshotPatience = 30 * time.Second
	// rewatchWait is the pause before a watch that broke is opened again.
	rewatchWait = 250 * time.Millisecond
)

var (
	// errReconnected ends a watch whose broker was lost and found: what happened
	// meanwhile is only known by watching from the start.
	errReconnected = errors.New("the broker was lost and found again")
	errWatchEnded  = errors.New("the watch has ended")
)

// follower hears of a bucket's entries, from one goroutine.
type follower struct {
	// begin hears that all entries are about to come.
	begin func()
	// entry hears of every entry, removals included: first of all that are there,
	// then of each change. After a loss of the broker it hears of all again.
	entry func(jetstream.KeyValueEntry)
	// caughtUp hears each time that all that were there have been heard of.
	caughtUp func()
}

// follow tells of the entries whose keys match, until ctx ends, which is the
// error then. A watch that cannot be opened at first is an error; one that
// breaks later is opened again, for ever.
func (b *bucket) follow(ctx context.Context, keys string, f follower) error {
	found := b.client.conn.StatusChanged(nats.CONNECTED)
	defer b.client.conn.RemoveStatusListener(found)
	for first := true; ; {
		caughtUp := func() { first = false; f.caughtUp() }
		err := b.replay(ctx, keys, found, follower{begin: f.begin, entry: f.entry, caughtUp: caughtUp})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case b.client.conn.IsClosed():
			return fmt.Errorf("watching bucket %s: %w", b.Bucket(), ErrClosed)
		case first:
			return fmt.Errorf("watching bucket %s: %w", b.Bucket(), err)
		case errors.Is(err, errReconnected):
			continue
		}
		b.client.logger.WarnContext(ctx, "bucket watch broke, opening it again", slog.String("bucket", b.Bucket()), slog.Any("error", err))
		if !lifecycle.Pause(ctx, rewatchWait) {
			return context.Cause(ctx)
		}
	}
}

// replay is one watch from its start to its end.
func (b *bucket) replay(ctx context.Context, keys string, found <-chan nats.Status, f follower) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(watchPatience, cancel) // the watch's own opening knows no time limit
	watch, err := b.Watch(ctx, keys)
	late.Stop()
	if err != nil {
		return err
	}
	defer closeWatch(watch)
	f.begin()
	for {
		select {
		case entry, ok := <-watch.Updates():
			switch {
			case !ok:
				return errWatchEnded
			case entry == nil:
				f.caughtUp()
			default:
				f.entry(entry)
			}
		case _, ok := <-found:
			if !ok {
				return ErrClosed
			}
			return errReconnected
		}
	}
}

// closeWatch ends a watch, and reads it to its end: its goroutine may be
// waiting for a reader.
func closeWatch(watch jetstream.KeyWatcher) {
	_ = watch.Stop() // it fails when the watch is over already
	for range watch.Updates() {
	}
}

// snapshot returns the entries whose keys match, removed ones left out.
func (b *bucket) snapshot(ctx context.Context, keys string, options ...jetstream.WatchOpt) ([]jetstream.KeyValueEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotPatience)
	defer cancel()
	watch, err := b.Watch(ctx, keys, append(options, jetstream.IgnoreDeletes())...)
	if err != nil {
		return nil, err
	}
	defer closeWatch(watch)
	var entries []jetstream.KeyValueEntry
	for entry := range watch.Updates() {
		if entry == nil {
			return entries, nil
		}
		entries = append(entries, entry)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, errWatchEnded
}
