package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// Keys that are no tenant's own begin with "_", which no tenant's id does.
const (
	gravePrefix  = "_shred."
	rewrapPrefix = "_rewrap."
	// A mark stands from before a shredding begins until after it is over.
	markPrefix = "_shredding."
)

func graveKey(tenant events.TenantID) string { return gravePrefix + string(tenant) }

// grave remembers that a tenant was shredded, so that a keyset of before, put
// back from a copy of the store, is known for what it is.
type grave struct {
	// Generation counts the shreddings. A keyset counts only when it was made
	// after the last of them.
	Generation uint64 `json:"generation"`
	// Pending is true from before the first key is destroyed until all is gone;
	// nothing of the tenant opens or is sealed meanwhile.
	Pending bool      `json:"pending"`
	At      time.Time `json:"at"`

	revision uint64
}

// refusal is why a keyset of a generation must not be used; nil when it may.
func (g grave) refusal(generation uint64) error {
	switch {
	case g.Pending:
		return fmt.Errorf("%w: on %s, and not to the end; shred again", ErrShredded, g.At.Format(time.RFC3339))
	case generation != g.Generation:
		return fmt.Errorf("%w: the keyset is of generation %d, and the tenant in %d", ErrShredded, generation, g.Generation)
	default:
		return nil
	}
}

// absence is what a missing keyset means.
func (g grave) absence() error {
	if g.Pending || g.Generation > 0 {
		return fmt.Errorf("%w: on %s", ErrShredded, g.At.Format(time.RFC3339))
	}
	return ErrNoCredential
}

func loadGrave(ctx context.Context, store Store, tenant events.TenantID) (grave, error) {
	value, revision, err := store.Load(ctx, graveKey(tenant))
	if err != nil {
		return grave{}, fmt.Errorf("loading grave: %w", err)
	}
	if revision == 0 {
		return grave{}, nil
	}
	read := grave{revision: revision}
	if err := json.Unmarshal(value, &read); err != nil {
		return grave{}, fmt.Errorf("%w: the grave cannot be read", ErrShredded)
	}
	return read, nil
}

func (g grave) save(ctx context.Context, store Store, tenant events.TenantID) error {
	value, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("laying out grave: %w", err)
	}
	if err := store.Save(ctx, graveKey(tenant), value, g.revision); err != nil {
		return fmt.Errorf("saving grave: %w", err)
	}
	return nil
}
