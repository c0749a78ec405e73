package natskv

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

// noteUse writes when a key was last used, unless a note is there that is at
// most interval older: gateways that share a key need not all write it.
func (k *Keys) noteUse(ctx context.Context, id access.ID, at time.Time, interval time.Duration) error {
	name := events.KeyLastUsed(string(id))
	entry, err := k.bucket.Get(ctx, name)
	switch {
	case missing(err):
	case err != nil:
		return fmt.Errorf("noting the use of %s: %w", id, err)
	case at.Sub(readLastUsed(entry)) < interval:
		return nil
	}
	if _, err := k.bucket.PutString(ctx, name, at.UTC().Format(time.RFC3339)); err != nil {
		return fmt.Errorf("noting the use of %s: %w", id, err)
	}
	return nil
}

// readLastUsed is the zero time for what cannot be read: nothing depends on it.
func readLastUsed(entry jetstream.KeyValueEntry) time.Time {
	at, err := time.Parse(time.RFC3339, string(entry.Value()))
	if err != nil {
		return time.Time{}
	}
	return at
}
