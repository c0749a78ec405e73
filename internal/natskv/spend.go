package natskv

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

// Spend keeps how tenants' accounts stood at a place of the log. It is safe for
// concurrent use. What it holds is a checkpoint, and the log the truth.
type Spend struct {
	bucket *bucket
}

// Spend opens the bucket of spending.
func (c *Client) Spend(ctx context.Context) (*Spend, error) {
	bucket, err := c.open(ctx, events.BucketSpend)
	if err != nil {
		return nil, err
	}
	return &Spend{bucket: bucket}, nil
}

// Load reads a tenant's state, on the word of the bucket's leader, with the
// revision to save upon; false, and a revision to save upon, when there is none.
func (s *Spend) Load(ctx context.Context, id tenant.ID) (state budget.State, revision uint64, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	entry, err := s.bucket.latest(ctx, string(id))
	if err != nil {
		return budget.State{}, 0, false, fmt.Errorf("loading the spending of %s: %w", id, err)
	}
	if entry.revision == 0 || entry.removed {
		return budget.State{}, entry.revision, false, nil
	}
	if err := json.Unmarshal(entry.value, &state); err != nil {
		return budget.State{}, 0, false, fmt.Errorf("loading the spending of %s: %w: %w", id, ErrMalformed, err)
	}
	return state, entry.revision, true, nil
}

// Save writes only if the entry is still at the revision; otherwise it is
// [budget.ErrMoved] and changes nothing. After any other error the entry may or
// may not have been written.
func (s *Spend) Save(ctx context.Context, id tenant.ID, state budget.State, revision uint64) (uint64, error) {
	data, err := json.Marshal(state)
	if err != nil {
		return 0, fmt.Errorf("laying out the spending of %s: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	saved, err := s.bucket.Update(ctx, string(id), data, revision)
	switch {
	case refused(err):
		return 0, fmt.Errorf("saving the spending of %s: %w", id, budget.ErrMoved)
	case err != nil:
		return 0, fmt.Errorf("saving the spending of %s: %w", id, err)
	default:
		return saved, nil
	}
}
