package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/feira-dev/feira/events"
)

// Vault seals and opens credentials. It is safe for concurrent use, as are any
// number of vaults on one store.
type Vault struct {
	store Store
	keys  *keysets
	now   func() time.Time
}

// New makes a vault; it touches neither KEK nor store.
func New(config Config) (*Vault, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	cache, err := lru.New[events.TenantID, cachedKey](config.CacheSize)
	if err != nil {
		return nil, fmt.Errorf("making keyset cache: %w", err)
	}
	return &Vault{
		store: config.Store,
		now:   config.Now,
		keys:  &keysets{kek: config.KEK, store: config.Store, now: config.Now, cacheFor: config.CacheFor, cache: cache},
	}, nil
}

// Put stores a tenant's credential for a server in an environment, in place of
// the one before. The tenant's keyset is made when this is its first.
func (v *Vault) Put(ctx context.Context, tenant events.TenantID, server string, env events.Environment, fields map[string]Secret) error {
	at, err := newPlace(tenant, server, env)
	if err != nil {
		return err
	}
	if err := checkFields(fields); err != nil {
		return err
	}
	// The keyset is read anew: what is sealed with one that was shredded
	// meanwhile could never be opened.
	key, err := v.keys.ensure(ctx, tenant)
	if err != nil {
		return err
	}
	for range maxWriteTries {
		previous, revision, err := v.current(ctx, at)
		if err != nil {
			return err
		}
		value, err := seal(key, at, record{Version: previous.Version + 1, UpdatedAt: v.now().UTC()}, fields)
		if err != nil {
			return err
		}
		saveErr := v.store.Save(ctx, at.key(), value, revision)
		if saveErr == nil {
			return nil
		}
		_, after, err := v.store.Load(ctx, at.key())
		if err != nil || after == revision {
			return fmt.Errorf("saving credential: %w", saveErr)
		}
	}
	return fmt.Errorf("saving credential: %w", ErrContended)
}

// current is the record at a place with its revision. One that cannot be read
// counts as none, so that a new credential may replace it.
func (v *Vault) current(ctx context.Context, at place) (record, uint64, error) {
	value, revision, err := v.store.Load(ctx, at.key())
	if err != nil {
		return record{}, 0, fmt.Errorf("loading credential: %w", err)
	}
	if revision == 0 {
		return record{}, 0, nil
	}
	read, err := parseRecord(value)
	if err != nil {
		return record{}, revision, nil //nolint:nilerr // what cannot be read is replaced
	}
	return read, revision, nil
}

// Open returns a credential, [ErrNoCredential] when there is none, and
// [ErrSealed] when what is there was not sealed as this.
func (v *Vault) Open(ctx context.Context, tenant events.TenantID, server string, env events.Environment) (Credential, error) {
	at, err := newPlace(tenant, server, env)
	if err != nil {
		return Credential{}, err
	}
	value, revision, err := v.store.Load(ctx, at.key())
	if err != nil {
		return Credential{}, fmt.Errorf("loading credential: %w", err)
	}
	if revision == 0 {
		return Credential{}, ErrNoCredential
	}
	sealed, err := parseRecord(value)
	if err != nil {
		return Credential{}, err
	}
	key, fresh, err := v.keys.cached(ctx, tenant)
	if err != nil {
		return Credential{}, sealedWithoutKey(err)
	}
	credential, err := sealed.open(key, at)
	if err == nil || fresh {
		return credential, err
	}
	// The keyset may have been rotated, or shredded and made anew, elsewhere.
	if key, err = v.keys.load(ctx, tenant); err != nil {
		return Credential{}, sealedWithoutKey(err)
	}
	return sealed.open(key, at)
}

// sealedWithoutKey names the state of a ciphertext whose keyset is gone.
func sealedWithoutKey(err error) error {
	if errors.Is(err, ErrNoCredential) {
		return fmt.Errorf("%w: the tenant has no keyset", ErrSealed)
	}
	return err
}

// Delete removes a credential; removing what is not there succeeds.
func (v *Vault) Delete(ctx context.Context, tenant events.TenantID, server string, env events.Environment) error {
	at, err := newPlace(tenant, server, env)
	if err != nil {
		return err
	}
	if err := v.store.Delete(ctx, at.key()); err != nil {
		return fmt.Errorf("deleting credential: %w", err)
	}
	return nil
}

// List shows what a tenant has stored, sorted by server and environment. It
// decrypts nothing, so it vouches for nothing: [Vault.Open] does.
func (v *Vault) List(ctx context.Context, tenant events.TenantID) ([]Entry, error) {
	places, err := v.places(ctx, tenant)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(places))
	for _, at := range places {
		read, revision, err := v.current(ctx, at)
		if err != nil {
			return nil, err
		}
		if revision == 0 {
			continue // deleted since
		}
		entries = append(entries, Entry{
			Server: at.server, Environment: at.env,
			Fields: read.Fields, Version: read.Version, UpdatedAt: read.UpdatedAt,
		})
	}
	return entries, nil
}

// Shred makes all credentials of a tenant unreadable for good, by destroying
// the keyset that sealed them, and then removes them. When it fails, do it
// again: the keyset goes first.
func (v *Vault) Shred(ctx context.Context, tenant events.TenantID) error {
	if _, err := events.ParseTenantID(string(tenant)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := v.keys.destroy(ctx, tenant); err != nil {
		return err
	}
	places, err := v.places(ctx, tenant)
	if err != nil {
		return err
	}
	var faults []error
	for _, at := range places {
		if err := v.store.Delete(ctx, at.key()); err != nil {
			faults = append(faults, fmt.Errorf("deleting credential: %w", err))
		}
	}
	return errors.Join(faults...)
}

func (v *Vault) places(ctx context.Context, tenant events.TenantID) ([]place, error) {
	if _, err := events.ParseTenantID(string(tenant)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	keys, err := v.store.List(ctx, credentialPrefix(tenant))
	if err != nil {
		return nil, fmt.Errorf("listing credentials: %w", err)
	}
	places := make([]place, 0, len(keys))
	for _, key := range keys {
		at, err := parsePlace(tenant, key)
		if err != nil {
			return nil, err
		}
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.key(), b.key()) })
	return places, nil
}
