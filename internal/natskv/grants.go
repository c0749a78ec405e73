package natskv

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Grants remembers for [events.GrantsAge] who was sent to a provider to connect
// an account, so that whoever comes back is known at any gateway, and once: of
// several who take one grant, at whatever gateways, one gets it. It holds no
// secret: what a person brings back is known by its hash. It is safe for
// concurrent use.
type Grants struct{ bucket *bucket }

// Grants opens the bucket of grants.
func (c *Client) Grants(ctx context.Context) (*Grants, error) {
	bucket, err := c.open(ctx, events.BucketGrants)
	if err != nil {
		return nil, err
	}
	return &Grants{bucket: bucket}, nil
}

// Put keeps a grant under an id that nobody has used.
func (g *Grants) Put(ctx context.Context, id string, value []byte) error {
	if _, err := g.bucket.Create(ctx, id, value); err != nil {
		return fmt.Errorf("keeping a grant: %w", err)
	}
	return nil
}

// Take returns a grant and forgets it; false when there is none any more. After
// an error it may be gone.
func (g *Grants) Take(ctx context.Context, id string) ([]byte, bool, error) {
	entry, err := g.bucket.latest(ctx, id)
	if err != nil {
		return nil, false, fmt.Errorf("reading a grant: %w", err)
	}
	if entry.revision == 0 || entry.removed {
		return nil, false, nil
	}
	err = g.bucket.Purge(ctx, id, jetstream.LastRevision(entry.revision))
	if refused(err) {
		return nil, false, nil // somebody else has it
	}
	if err != nil {
		return nil, false, fmt.Errorf("taking a grant: %w", err)
	}
	return entry.value, true, nil
}
