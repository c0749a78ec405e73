package natskv

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Follow tells of all entries, then of each change, from one goroutine, until ctx
// ends, which is the error then; caughtUp is called each time that all that were
// there have been told of. An entry that was removed has no value. After a loss
// of the broker it tells of all again; what aged out meanwhile it cannot tell of,
// which whoever saves upon it finds out.
func (r *Records) Follow(ctx context.Context, each func(key string, value []byte, revision uint64), caughtUp func()) error {
	err := r.bucket.follow(ctx, jetstream.AllKeys, follower{
		begin: func() {},
		entry: func(entry jetstream.KeyValueEntry) {
			if entry.Operation() != jetstream.KeyValuePut {
				each(entry.Key(), nil, entry.Revision())
				return
			}
			each(entry.Key(), entry.Value(), entry.Revision())
		},
		caughtUp: caughtUp,
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("following records: %w", err)
	}
	return err
}
