package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/feira-dev/feira/events"
)

// Progress is how far a rotation has come.
type Progress struct {
	Tenant events.TenantID `json:"tenant"`
	// Rewrapped is how many credentials were sealed anew by this call.
	Rewrapped int `json:"rewrapped"`
	// Unreadable is how many did not open, before as after.
	Unreadable int `json:"unreadable"`
	// Key is the key that seals.
	Key uint32 `json:"key"`
	// KEK is the name of the KEK that the keyset is under.
	KEK string `json:"kek"`
	// OldKeysUntil is when keys that seal no more may be destroyed; zero when
	// there is none left.
	OldKeysUntil time.Time `json:"old_keys_until,omitzero"`
}

func rewrapKey(tenant events.TenantID) string { return rewrapPrefix + string(tenant) }

// task is what a mark asks to be finished.
type task struct {
	// KEK is what the keyset goes under; empty: it stays where it is.
	KEK string `json:"kek,omitempty"`
}

// mark asks for a tenant's rotation to be finished, by whoever comes first.
func (v *Vault) mark(ctx context.Context, tenant events.TenantID, kek string) error {
	for range maxWriteTries {
		asked, revision, err := v.task(ctx, tenant)
		if err != nil || revision > 0 && (kek == "" || asked.KEK == kek) {
			return err
		}
		value, err := json.Marshal(task{KEK: kek})
		if err != nil {
			return fmt.Errorf("laying out rewrap mark: %w", err)
		}
		saveErr := v.store.Save(ctx, rewrapKey(tenant), value, revision)
		if saveErr == nil {
			return nil
		}
		if _, now, err := v.task(ctx, tenant); err != nil || now == revision {
			return errors.Join(fmt.Errorf("saving rewrap mark: %w", saveErr), err)
		}
	}
	return fmt.Errorf("saving rewrap mark: %w", ErrContended)
}

func (v *Vault) task(ctx context.Context, tenant events.TenantID) (task, uint64, error) {
	value, revision, err := v.store.Load(ctx, rewrapKey(tenant))
	if err != nil || revision == 0 {
		return task{}, 0, err
	}
	var asked task
	if err := json.Unmarshal(value, &asked); err != nil {
		return task{}, 0, fmt.Errorf("%w: the rewrap mark of %s cannot be read", ErrInvalid, tenant)
	}
	return asked, revision, nil
}

// Unfinished lists the tenants whose rotation is not over.
func (v *Vault) Unfinished(ctx context.Context) ([]events.TenantID, error) {
	keys, err := v.store.List(ctx, rewrapPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing rewrap marks: %w", err)
	}
	tenants := make([]events.TenantID, 0, len(keys))
	for _, key := range keys {
		tenants = append(tenants, events.TenantID(strings.TrimPrefix(key, rewrapPrefix)))
	}
	slices.Sort(tenants)
	return tenants, nil
}

// Rewrap goes on with a tenant's rotation from wherever it stopped. Any number
// may do so at one time, and once more does no harm.
func (v *Vault) Rewrap(ctx context.Context, tenant events.TenantID) (Progress, error) {
	begun := v.now()
	asked, _, err := v.task(ctx, tenant)
	if err != nil {
		return Progress{}, fmt.Errorf("loading rewrap mark: %w", err)
	}
	err = v.rekey(ctx, tenant, asked.KEK)
	if errors.Is(err, ErrNoCredential) {
		return Progress{Tenant: tenant}, v.unmark(ctx, tenant)
	}
	if err != nil {
		return Progress{}, err
	}
	keys, err := v.keys.load(ctx, tenant)
	if err != nil {
		return Progress{}, err
	}
	progress := Progress{Tenant: tenant, Key: keys.primary, KEK: keys.kek.Name}
	if err := v.rewrapAll(ctx, tenant, keys, &progress); err != nil {
		return progress, err
	}
	if len(keys.old()) > 0 {
		// Whoever sealed with an old key has given up by then, so that a look that
		// began after it has seen all.
		destroyFrom := keys.sealed.RotatedAt.Add(v.grace)
		if begun.Before(destroyFrom) {
			progress.OldKeysUntil = destroyFrom
			return progress, nil
		}
		if err := v.retire(ctx, tenant, keys); err != nil {
			return progress, err
		}
	}
	return progress, v.unmark(ctx, tenant)
}

func (v *Vault) rewrapAll(ctx context.Context, tenant events.TenantID, keys tenantKeys, progress *Progress) error {
	places, err := v.places(ctx, tenant)
	if err != nil {
		return err
	}
	for _, at := range places {
		changed, err := v.rewrap(ctx, at, keys)
		switch {
		case errors.Is(err, ErrSealed):
			progress.Unreadable++
		case err != nil:
			return err
		case changed:
			progress.Rewrapped++
		}
	}
	return nil
}

// rewrap seals a credential with the key that seals now, as it was in all else.
func (v *Vault) rewrap(ctx context.Context, at place, keys tenantKeys) (bool, error) {
	for range maxWriteTries {
		value, revision, err := v.store.Load(ctx, at.key())
		if err != nil {
			return false, fmt.Errorf("loading credential: %w", err)
		}
		if revision == 0 {
			return false, nil // deleted since
		}
		sealed, err := parseRecord(value)
		if err != nil {
			return false, err
		}
		if keyID(sealed.Ciphertext) == keys.primary {
			return false, nil
		}
		opened, err := sealed.open(keys, at)
		tried := attempt{at: at, sealed: sealed, action: ActionRewrap, purpose: Purpose{Why: "rotate"}}
		if err := v.witness(ctx, tried, err); err != nil {
			return false, err
		}
		if value, err = v.seal(keys, at, sealed, opened.fields); err != nil {
			return false, err
		}
		if saved, err := v.save(ctx, at, value, revision); saved || err != nil {
			return saved, err
		}
	}
	return false, fmt.Errorf("saving credential: %w", ErrContended)
}

// retire destroys the keys that seal no more. A keyset that has changed
// meanwhile is left to the next look.
func (v *Vault) retire(ctx context.Context, tenant events.TenantID, keys tenantKeys) error {
	manager := keyset.NewManagerFromHandle(keys.handle)
	for _, id := range keys.old() {
		if err := manager.Delete(id); err != nil {
			return fmt.Errorf("deleting old key: %w", err)
		}
	}
	_, err := v.swap(ctx, tenant, manager, change{before: keys, sealed: keys.sealed, kek: keys.kek})
	return err
}

// unmark says that a rotation is over. One that began meanwhile marks again.
func (v *Vault) unmark(ctx context.Context, tenant events.TenantID) error {
	if err := v.store.Delete(ctx, rewrapKey(tenant)); err != nil {
		return fmt.Errorf("deleting rewrap mark: %w", err)
	}
	keys, err := v.keys.load(ctx, tenant)
	if errors.Is(err, ErrNoCredential) || errors.Is(err, ErrShredded) {
		return nil
	}
	if err != nil || len(keys.old()) == 0 {
		return err
	}
	return v.mark(ctx, tenant, "")
}
