package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

const (
	// shredPatience bounds a shredding, well below the age at which another goes
	// on with it: two must not be at it when the tenant is registered anew.
	shredPatience = 30 * time.Second
	resumeAfter   = time.Minute
)

func shredMarkKey(tenant events.TenantID) string { return markPrefix + string(tenant) }

// shredMark says that a shredding goes on.
type shredMark struct {
	At time.Time `json:"at"`
}

func (v *Vault) shredMark(ctx context.Context, tenant events.TenantID) (shredMark, uint64, error) {
	value, revision, err := v.store.Load(ctx, shredMarkKey(tenant))
	if err != nil {
		return shredMark{}, 0, fmt.Errorf("loading shred mark: %w", err)
	}
	var read shredMark
	if revision > 0 && json.Unmarshal(value, &read) != nil {
		read = shredMark{} // one that cannot be read is old
	}
	return read, revision, nil
}

// claimShred marks that a tenant is being shredded from now on; false when the
// mark is younger than age, or another was faster to go on with it. Age 0 is a
// person's word, which waits for nobody.
func (v *Vault) claimShred(ctx context.Context, tenant events.TenantID, age time.Duration) (bool, error) {
	fault := ErrContended
	for range maxWriteTries {
		found, revision, err := v.shredMark(ctx, tenant)
		if err != nil {
			return false, err
		}
		if age > 0 && (revision == 0 || v.now().Before(found.At.Add(age))) {
			return false, nil
		}
		value, err := json.Marshal(shredMark{At: v.now().UTC()})
		if err != nil {
			return false, fmt.Errorf("laying out shred mark: %w", err)
		}
		saveErr := v.store.Save(ctx, shredMarkKey(tenant), value, revision)
		if saveErr == nil {
			return true, nil
		}
		// No mark after no mark may be one that another has made and, being done,
		// taken away.
		if _, now, err := v.shredMark(ctx, tenant); err != nil || now == revision && revision > 0 {
			return false, errors.Join(fmt.Errorf("saving shred mark: %w", saveErr), err)
		}
		fault = saveErr
	}
	return false, fmt.Errorf("saving shred mark: %w", fault)
}

func (v *Vault) unmarkShred(ctx context.Context, tenant events.TenantID) error {
	if err := v.store.Delete(ctx, shredMarkKey(tenant)); err != nil {
		return fmt.Errorf("deleting shred mark: %w", err)
	}
	return nil
}

// Interrupted lists the tenants whose shredding is not over; it may be going on.
func (v *Vault) Interrupted(ctx context.Context) ([]events.TenantID, error) {
	keys, err := v.store.List(ctx, markPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing shred marks: %w", err)
	}
	tenants := make([]events.TenantID, 0, len(keys))
	for _, key := range keys {
		tenants = append(tenants, events.TenantID(strings.TrimPrefix(key, markPrefix)))
	}
	slices.Sort(tenants)
	return tenants, nil
}

// Resume goes on with a shredding that was begun more than a minute ago, by one
// who has given up since; false when there is none. One that was marked and not
// begun is left undone: whoever asked for it was told so.
func (v *Vault) Resume(ctx context.Context, tenant events.TenantID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, shredPatience)
	defer cancel()
	if claimed, err := v.claimShred(ctx, tenant, resumeAfter); !claimed || err != nil {
		return false, err
	}
	buried, err := loadGrave(ctx, v.store, tenant)
	if err != nil {
		return false, err
	}
	if !buried.Pending {
		return false, v.unmarkShred(ctx, tenant)
	}
	_, err = v.shred(ctx, tenant)
	return err == nil, err
}

// resume goes on with the shreddings that were interrupted.
func (r *Rewrapper) resume(ctx context.Context) {
	tenants, err := r.config.Vault.Interrupted(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.config.Logger.WarnContext(ctx, "interrupted shreddings cannot be listed", "error", err)
		}
		return
	}
	for _, tenant := range tenants {
		resumed, err := r.config.Vault.Resume(ctx, tenant)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.config.Logger.WarnContext(ctx, "shredding cannot go on", "tenant", string(tenant), "error", err)
		case resumed:
			r.config.Logger.InfoContext(ctx, "shredding finished", "tenant", string(tenant))
		}
	}
}
