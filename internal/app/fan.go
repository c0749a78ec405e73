package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/workers/triggers"
)

// buildFan makes what turns facts into deliveries.
func buildFan(ctx context.Context, k *kit, book triggers.Book, observer triggers.Observer) (*triggers.Fan, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	leases, err := kv.Lease(ctx, natskv.LeaseConfig{Key: events.KeyFanLease})
	if err != nil {
		return nil, err
	}
	records, err := kv.Records(ctx, events.BucketCursors)
	if err != nil {
		return nil, err
	}
	return triggers.NewFan(triggers.FanConfig{
		ID: newID("fan"), Lease: triggersLease(leases), Book: book, Facts: broker.Log(), Cursor: cursor{records: records, key: events.KeyFanCursor},
		Publisher: broker.Triggers(), Observer: observer, Logger: k.log,
	})
}

// cursor is a sequence of a stream in a bucket.
type cursor struct {
	records *natskv.Records
	key     string
}

// Load implements [triggers.Cursor].
func (c cursor) Load(ctx context.Context) (sequence, revision uint64, err error) {
	value, revision, err := c.records.Load(ctx, c.key)
	if err != nil || revision == 0 {
		return 0, 0, err
	}
	if sequence, err = strconv.ParseUint(string(value), 10, 64); err != nil {
		return 0, 0, fmt.Errorf("reading cursor %s: %w", c.key, natskv.ErrMalformed)
	}
	return sequence, revision, nil
}

// Save implements [triggers.Cursor].
func (c cursor) Save(ctx context.Context, sequence, revision uint64) (uint64, error) {
	saved, err := c.records.Save(ctx, c.key, strconv.AppendUint(nil, sequence, 10), revision)
	if errors.Is(err, natskv.ErrConflict) {
		err = fmt.Errorf("%w: %w", triggers.ErrDeposed, err)
	}
	return saved, err
}
