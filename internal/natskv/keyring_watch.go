package natskv

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// begin starts a round: all entries come again.
func (k *Keyring) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.round++
	k.seen, k.caughtUp = 0, false
}

// entry takes in what the watch brings. What cannot be read takes the key out
// of memory: it is not known to be good.
func (k *Keyring) entry(ctx context.Context) func(jetstream.KeyValueEntry) {
	return func(entry jetstream.KeyValueEntry) {
		defer k.move()
		hash, err := access.ParseHash(entry.Key())
		var key access.Key
		if err == nil && !removed(entry) {
			key, err = readKey(entry.Key(), entry.Value())
		}
		if err != nil {
			k.config.Keys.passOver(ctx, entry.Revision(), err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.seen = entry.Revision()
		if err != nil || removed(entry) {
			delete(k.keys, hash)
			return
		}
		held := &heldKey{key: key, round: k.round}
		if before, found := k.keys[hash]; found {
			held.used.Store(before.used.Load())
		}
		k.keys[hash] = held
	}
}

// sweep ends a round: a key that it did not bring has gone.
func (k *Keyring) sweep() {
	defer k.move()
	k.mu.Lock()
	defer k.mu.Unlock()
	for hash, held := range k.keys {
		if held.round < k.round {
			delete(k.keys, hash)
		}
	}
	k.caughtUp = true
}

func (k *Keyring) move() {
	select {
	case k.moved <- struct{}{}:
	default:
	}
}

// check compares the memory with the leader's again and again, and says when it
// begins or ends to be out of date.
func (k *Keyring) check(ctx context.Context) {
	logger := k.config.Keys.bucket.client.logger
	for behind := false; ; {
		asked := time.Now()
		err := k.compare(ctx)
		if err == nil {
			k.fresh.Store(&asked)
		}
		if ctx.Err() != nil {
			return
		}
		if now := err != nil; now != behind {
			behind = now
			if behind {
				logger.WarnContext(ctx, "API keys in memory may be out of date, the broker is asked for each", slog.Any("error", err))
			} else {
				logger.InfoContext(ctx, "API keys in memory are up to date again")
			}
		}
		if !lifecycle.Pause(ctx, k.config.Check) {
			return
		}
	}
}

// compare is nil when the memory has the leader's last change.
func (k *Keyring) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.config.MaxAge)
	defer cancel()
	last, err := k.config.Keys.bucket.latest(ctx, events.KeyAllHashes)
	if err != nil {
		return err
	}
	return k.reach(ctx, last.revision)
}

// reach waits until the watch has brought a change of the leader's, which it is
// an error not to do before ctx ends.
func (k *Keyring) reach(ctx context.Context, revision uint64) error {
	for {
		k.mu.RLock()
		reached := k.caughtUp && k.seen >= revision
		k.mu.RUnlock()
		if reached {
			return nil
		}
		select {
		case <-k.moved:
		case <-ctx.Done():
			return fmt.Errorf("waiting for change %d of bucket %s: %w", revision, events.BucketKeys, context.Cause(ctx))
		}
	}
}

// note writes, now and then, which keys were used. It is no part of a lookup,
// and a failure costs nobody but who wants to know.
func (k *Keyring) note(ctx context.Context) {
	for lifecycle.Pause(ctx, k.config.NoteUse) {
		for _, held := range k.used() {
			at := held.used.Load()
			bounded, cancel := context.WithTimeout(ctx, askPatience)
			err := k.config.Keys.noteUse(bounded, held.key.ID, time.Unix(at, 0), k.config.NoteUse)
			cancel()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				k.config.Keys.bucket.client.logger.WarnContext(ctx, "use of API keys not noted", slog.Any("error", err))
				break
			}
			held.noted = at
		}
	}
}

// used lists the keys with a use that is not written yet.
func (k *Keyring) used() []*heldKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var list []*heldKey
	for _, held := range k.keys {
		if held.used.Load() > held.noted {
			list = append(list, held)
		}
	}
	return list
}
