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
	audit *auditor
	now   func() time.Time
	actor string
	grace time.Duration
	plain []string
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
	ends, err := lru.New[events.TenantID, link](config.CacheSize)
	if err != nil {
		return nil, fmt.Errorf("making audit cache: %w", err)
	}
	return &Vault{
		store: config.Store, now: config.Now, actor: config.Actor, grace: config.Grace, plain: slices.Clone(config.Plain),
		audit: &auditor{log: config.Audit, patience: config.AuditPatience, ends: ends, waiting: map[events.TenantID][]waiter{}},
		keys: &keysets{
			keks: append(ring{config.KEK}, config.OtherKEKs...), store: config.Store, now: config.Now,
			cacheFor: config.CacheFor, cache: cache,
		},
	}, nil
}

// Put stores a tenant's credential for a server in an environment, in place of
// the one before. The tenant's keyset is made when this is its first, or its
// first since it was shredded.
func (v *Vault) Put(ctx context.Context, tenant events.TenantID, server string, env events.Environment, fields map[string]Secret) error {
	at, err := newPlace(tenant, server, env)
	if err != nil {
		return err
	}
	if err := checkFields(fields); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putPatience)
	defer cancel()
	for range maxWriteTries {
		// The keyset is read anew: what is sealed with one that was shredded
		// meanwhile could never be opened.
		keys, err := v.keys.ensure(ctx, tenant)
		if err != nil {
			return err
		}
		saved, err := v.put(ctx, at, keys, fields)
		if err != nil {
			return err
		}
		if !saved {
			continue
		}
		if lasting, err := v.lasting(ctx, at, keys.primary); lasting || err != nil {
			return err
		}
	}
	return fmt.Errorf("saving credential: %w", ErrContended)
}

// put tries once to store a credential; false when another was faster.
func (v *Vault) put(ctx context.Context, at place, keys tenantKeys, fields map[string]Secret) (bool, error) {
	previous, revision, err := v.current(ctx, at)
	if err != nil {
		return false, err
	}
	value, err := v.seal(keys, at, record{Version: previous.Version + 1, UpdatedAt: v.later(previous.UpdatedAt)}, fields)
	if err != nil {
		return false, err
	}
	return v.save(ctx, at, value, revision)
}

// save stores a record unless its place has moved on, which is false.
func (v *Vault) save(ctx context.Context, at place, value []byte, revision uint64) (bool, error) {
	saveErr := v.store.Save(ctx, at.key(), value, revision)
	if saveErr == nil {
		return true, nil
	}
	_, after, err := v.store.Load(ctx, at.key())
	if err != nil || after == revision {
		return false, fmt.Errorf("saving credential: %w", saveErr)
	}
	return false, nil
}

// lasting reports whether the key that sealed what was just stored is still
// there. One that was rotated to its end meanwhile asks for another sealing; a
// keyset that was shredded takes the credential with it.
func (v *Vault) lasting(ctx context.Context, at place, key uint32) (bool, error) {
	now, err := v.keys.load(ctx, at.tenant)
	switch {
	case errors.Is(err, ErrShredded) || errors.Is(err, ErrNoCredential):
		return false, errors.Join(fmt.Errorf("%w while the credential was being sealed", ErrShredded), v.store.Delete(ctx, at.key()))
	case err != nil:
		return false, fmt.Errorf("checking the keyset of a sealed credential: %w", err)
	default:
		return now.has(key), nil
	}
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

// Open returns a credential, [ErrNoCredential] when there is none,
// [ErrShredded] when the tenant's keyset was destroyed, and [ErrSealed] when
// what is there was not sealed as this. It returns when the record of it is in
// the audit, and with [ErrAudit] and no credential when it cannot be.
func (v *Vault) Open(ctx context.Context, tenant events.TenantID, server string, env events.Environment, purpose Purpose) (Credential, error) {
	at, err := newPlace(tenant, server, env)
	if err != nil {
		return Credential{}, err
	}
	if err := purpose.check(); err != nil {
		return Credential{}, err
	}
	value, revision, err := v.store.Load(ctx, at.key())
	if err != nil {
		return Credential{}, fmt.Errorf("loading credential: %w", err)
	}
	if revision == 0 {
		return Credential{}, v.absence(ctx, tenant)
	}
	tried := attempt{at: at, action: ActionOpen, purpose: purpose}
	if tried.sealed, err = parseRecord(value); err != nil {
		return Credential{}, v.witness(ctx, tried, err)
	}
	opened, err := v.decrypt(ctx, at, tried.sealed)
	if err := v.witness(ctx, tried, err); err != nil {
		return Credential{}, err
	}
	return opened, nil
}

// absence is what it means that a tenant has no credential somewhere.
func (v *Vault) absence(ctx context.Context, tenant events.TenantID) error {
	buried, err := loadGrave(ctx, v.store, tenant)
	if err != nil {
		return err
	}
	_, revision, err := v.store.Load(ctx, keysetKey(tenant))
	if err != nil {
		return fmt.Errorf("loading keyset: %w", err)
	}
	if buried.Pending || revision == 0 {
		return buried.absence()
	}
	return ErrNoCredential
}

// decrypt opens a record with the tenant's keys.
func (v *Vault) decrypt(ctx context.Context, at place, sealed record) (Credential, error) {
	keys, fresh, err := v.keys.cached(ctx, at.tenant)
	if err != nil {
		return Credential{}, sealedWithoutKey(err)
	}
	credential, err := sealed.open(keys, at)
	if err == nil || fresh {
		return credential, err
	}
	// The keyset may have been rotated, or shredded and made anew, elsewhere.
	if keys, err = v.keys.load(ctx, at.tenant); err != nil {
		return Credential{}, sealedWithoutKey(err)
	}
	return sealed.open(keys, at)
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
		entry, found, err := v.entry(ctx, at)
		if err != nil {
			return nil, err
		}
		if found { // not deleted since
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

func (v *Vault) places(ctx context.Context, tenant events.TenantID) ([]place, error) {
	if err := checkOwner(tenant); err != nil {
		return nil, err
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
