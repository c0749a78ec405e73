package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/feira-dev/feira/events"
)

// keysets hands out the tenants' keys. It is safe for concurrent use.
type keysets struct {
	keks     ring
	store    Store
	now      func() time.Time
	cacheFor time.Duration
	cache    *lru.Cache[events.TenantID, cachedKey]
}

type cachedKey struct {
	keys    tenantKeys
	expires time.Time
}

// tenantKeys is a tenant's keyset, opened.
type tenantKeys struct {
	tink.AEAD

	handle   *keyset.Handle
	sealed   envelope
	kek      KEK
	revision uint64
	primary  uint32
}

// has reports whether the keyset holds a key.
func (k tenantKeys) has(id uint32) bool {
	for _, info := range k.handle.KeysetInfo().GetKeyInfo() {
		if info.GetKeyId() == id {
			return true
		}
	}
	return false
}

// old are the keys that no longer seal.
func (k tenantKeys) old() []uint32 {
	var ids []uint32
	for _, info := range k.handle.KeysetInfo().GetKeyInfo() {
		if info.GetKeyId() != k.primary {
			ids = append(ids, info.GetKeyId())
		}
	}
	return ids
}

// keyID is the key that made a ciphertext: Tink's prefix is a 1 and the id.
func keyID(ciphertext []byte) uint32 {
	const prefix = 5
	if len(ciphertext) < prefix || ciphertext[0] != 1 {
		return 0
	}
	return binary.BigEndian.Uint32(ciphertext[1:prefix])
}

// cached is the tenant's key from memory, or from the store; fresh tells which.
// The grave is read in any case: what lives on in memory opens nothing once a
// shredding has begun.
func (k *keysets) cached(ctx context.Context, tenant events.TenantID) (keys tenantKeys, fresh bool, err error) {
	if held, ok := k.cache.Get(tenant); ok && k.now().Before(held.expires) {
		buried, err := loadGrave(ctx, k.store, tenant)
		if err != nil {
			return tenantKeys{}, false, err
		}
		if buried.refusal(held.keys.sealed.Generation) == nil {
			return held.keys, false, nil
		}
	}
	keys, err = k.load(ctx, tenant)
	return keys, true, err
}

// load is the tenant's key from the store: [ErrNoCredential] when it never had
// one, [ErrShredded] when it was destroyed. The grave is read after the keyset,
// so that no keyset counts whose destruction had begun before it was read.
func (k *keysets) load(ctx context.Context, tenant events.TenantID) (tenantKeys, error) {
	k.cache.Remove(tenant)
	expires := k.now().Add(k.cacheFor)
	value, revision, err := k.store.Load(ctx, keysetKey(tenant))
	if err != nil {
		return tenantKeys{}, fmt.Errorf("loading keyset: %w", err)
	}
	buried, err := loadGrave(ctx, k.store, tenant)
	if err != nil {
		return tenantKeys{}, err
	}
	if revision == 0 {
		return tenantKeys{}, buried.absence()
	}
	sealed, err := parseEnvelope(value)
	if err != nil {
		return tenantKeys{}, err
	}
	if err := buried.refusal(sealed.Generation); err != nil {
		return tenantKeys{}, err
	}
	handle, kek, err := sealed.unwrap(ctx, tenant, k.keks)
	if err != nil {
		return tenantKeys{}, err
	}
	key, err := aead.New(handle)
	if err != nil {
		return tenantKeys{}, fmt.Errorf("%w: keyset holds no usable key", ErrSealed)
	}
	keys := tenantKeys{
		AEAD: key, handle: handle, sealed: sealed, kek: kek, revision: revision, primary: handle.KeysetInfo().GetPrimaryKeyId(),
	}
	k.cache.Add(tenant, cachedKey{keys: keys, expires: expires})
	return keys, nil
}

// ensure is load that makes the keyset of a new tenant, or of one that is
// registered anew after its shredding. Whoever writes first wins; everybody
// else takes the winner's.
func (k *keysets) ensure(ctx context.Context, tenant events.TenantID) (tenantKeys, error) {
	keys, err := k.load(ctx, tenant)
	if !errors.Is(err, ErrNoCredential) && !errors.Is(err, ErrShredded) {
		return keys, err
	}
	buried, graveErr := loadGrave(ctx, k.store, tenant)
	if graveErr != nil {
		return tenantKeys{}, graveErr
	}
	if buried.Pending {
		return tenantKeys{}, err
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return tenantKeys{}, fmt.Errorf("making keyset: %w", err)
	}
	value, err := envelope{Generation: buried.Generation, RotatedAt: k.now().UTC()}.wrap(ctx, tenant, handle, k.keks[0])
	if err != nil {
		return tenantKeys{}, err
	}
	saveErr := k.store.Save(ctx, keysetKey(tenant), value, 0)
	keys, err = k.load(ctx, tenant)
	if err != nil && saveErr != nil {
		return tenantKeys{}, errors.Join(err, fmt.Errorf("saving keyset: %w", saveErr))
	}
	return keys, err
}

// change is a keyset in place of one as it was loaded.
type change struct {
	before tenantKeys
	sealed envelope
	handle *keyset.Handle
	kek    KEK
}

// replace stores a change. A lost race is an error that changes nothing.
func (k *keysets) replace(ctx context.Context, tenant events.TenantID, to change) error {
	value, err := to.sealed.wrap(ctx, tenant, to.handle, to.kek)
	if err != nil {
		return err
	}
	err = k.store.Save(ctx, keysetKey(tenant), value, to.before.revision)
	k.cache.Remove(tenant)
	if err != nil {
		return fmt.Errorf("saving keyset: %w", err)
	}
	return nil
}
