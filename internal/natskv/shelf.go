package natskv

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
)

// shelf keeps things of one form in a bucket, as JSON, each under a key that
// follows from it. It is safe for concurrent use.
type shelf[T any] struct {
	bucket *bucket
	noun   string // for errors and logs
	key    func(T) string
	// fit fills in what is newer than a thing, and holds it to its rules, on its
	// way in and out.
	fit func(*T) error
	// get reads an entry; revision 0 when there is none.
	get func(ctx context.Context, key string) (value []byte, revision uint64, err error)
}

// put stores a thing by a write; one that is refused is [ErrConflict].
func (s shelf[T]) put(thing T, write func(key string, data []byte) (uint64, error)) error {
	if err := s.fit(&thing); err != nil {
		return err
	}
	key := s.key(thing)
	data, err := json.Marshal(thing)
	if err != nil {
		return fmt.Errorf("laying out %s %s: %w", s.noun, key, err)
	}
	_, err = write(key, data)
	switch {
	case refused(err):
		return fmt.Errorf("storing %s %s: %w", s.noun, key, ErrConflict)
	case err != nil:
		return fmt.Errorf("storing %s %s: %w", s.noun, key, err)
	}
	return nil
}

func (s shelf[T]) create(ctx context.Context, thing T) error {
	return s.put(thing, func(key string, data []byte) (uint64, error) { return s.bucket.Create(ctx, key, data) })
}

// lookup reads a thing with its revision, which is 0 when there is none.
func (s shelf[T]) lookup(ctx context.Context, key string) (thing T, revision uint64, err error) {
	value, revision, err := s.get(ctx, key)
	if err != nil {
		return thing, 0, fmt.Errorf("reading %s %s: %w", s.noun, key, err)
	}
	if revision == 0 {
		return thing, 0, nil
	}
	if thing, err = s.read(key, value); err != nil {
		revision = 0
	}
	return thing, revision, err
}

// list reads all things under keys, in no order. One that cannot be read is
// logged and left out.
func (s shelf[T]) list(ctx context.Context, keys string) ([]T, error) {
	entries, err := s.bucket.snapshot(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("listing each %s: %w", s.noun, err)
	}
	things := make([]T, 0, len(entries))
	for _, entry := range entries {
		thing, err := s.read(entry.Key(), entry.Value())
		if err != nil {
			s.passOver(ctx, entry, err)
			continue
		}
		things = append(things, thing)
	}
	return things, nil
}

// amend changes what is stored under a key and keeps all else: a write that meets
// another's is made anew on top of it, so change may be called more than once. It
// is false when there is nothing.
func (s shelf[T]) amend(ctx context.Context, key string, change func(*T) error) (thing T, found bool, err error) {
	for {
		thing, revision, err := s.lookup(ctx, key)
		if err != nil || revision == 0 {
			return *new(T), false, err
		}
		if err = change(&thing); err == nil {
			err = s.fit(&thing)
		}
		if err != nil {
			return *new(T), false, err
		}
		data, err := json.Marshal(thing)
		if err != nil {
			return *new(T), false, fmt.Errorf("laying out %s %s: %w", s.noun, key, err)
		}
		if _, err = s.bucket.Update(ctx, key, data, revision); err == nil {
			return thing, true, nil
		}
		if !refused(err) {
			return *new(T), false, fmt.Errorf("storing %s %s: %w", s.noun, key, err)
		}
	}
}

// read reads an entry, which is [ErrMalformed] where it is not what its key says.
func (s shelf[T]) read(key string, value []byte) (T, error) {
	var thing T
	err := json.Unmarshal(value, &thing)
	if err == nil {
		err = s.fit(&thing)
	}
	if err != nil {
		return *new(T), fmt.Errorf("%w: %s %s: %w", ErrMalformed, s.noun, key, err)
	}
	if s.key(thing) != key {
		return *new(T), fmt.Errorf("%w: %s %s: it is another's: %q", ErrMalformed, s.noun, key, s.key(thing))
	}
	return thing, nil
}

func (s shelf[T]) passOver(ctx context.Context, entry jetstream.KeyValueEntry, err error) {
	s.bucket.client.logger.WarnContext(ctx, "entry passed over",
		slog.String("of", s.noun), slog.String("key", entry.Key()), slog.Uint64("revision", entry.Revision()), slog.Any("error", err))
}

// onTheLeadersWord reads an entry as whoever wrote it last wrote it.
func (b *bucket) onTheLeadersWord(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	entry, err := b.latest(ctx, key)
	if err != nil || entry.removed {
		return nil, 0, err
	}
	return entry.value, entry.revision, nil
}

// fromAnyReplica reads an entry quicker, as a replica has it that may lag.
func (b *bucket) fromAnyReplica(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	entry, err := b.Get(ctx, key)
	if missing(err) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return entry.Value(), entry.Revision(), nil
}
