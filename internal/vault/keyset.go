package vault

import (
	"bytes"
	"context"
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
	kek      tink.AEAD
	store    Store
	now      func() time.Time
	cacheFor time.Duration
	cache    *lru.Cache[events.TenantID, cachedKey]
}

type cachedKey struct {
	key     tink.AEAD
	expires time.Time
}

func keysetData(tenant events.TenantID) []byte { return []byte("v1|keyset|" + string(tenant)) }

// cached is the tenant's key from memory, or from the store; fresh tells which.
func (k *keysets) cached(ctx context.Context, tenant events.TenantID) (key tink.AEAD, fresh bool, err error) {
	if held, ok := k.cache.Get(tenant); ok && k.now().Before(held.expires) {
		return held.key, false, nil
	}
	key, err = k.load(ctx, tenant)
	return key, true, err
}

// load is the tenant's key from the store, [ErrNoCredential] when it has none.
func (k *keysets) load(ctx context.Context, tenant events.TenantID) (tink.AEAD, error) {
	k.cache.Remove(tenant)
	expires := k.now().Add(k.cacheFor)
	value, revision, err := k.store.Load(ctx, keysetKey(tenant))
	if err != nil {
		return nil, fmt.Errorf("loading keyset: %w", err)
	}
	if revision == 0 {
		return nil, ErrNoCredential
	}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(value)), k.kek, keysetData(tenant))
	if err != nil {
		return nil, fmt.Errorf("%w: keyset", ErrSealed)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("%w: keyset holds no usable key", ErrSealed)
	}
	k.cache.Add(tenant, cachedKey{key: key, expires: expires})
	return key, nil
}

// ensure is load that makes the keyset of a new tenant. Whoever writes first
// wins; everybody else takes the winner's.
func (k *keysets) ensure(ctx context.Context, tenant events.TenantID) (tink.AEAD, error) {
	key, err := k.load(ctx, tenant)
	if !errors.Is(err, ErrNoCredential) {
		return key, err
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making keyset: %w", err)
	}
	var sealed bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&sealed), k.kek, keysetData(tenant)); err != nil {
		return nil, fmt.Errorf("sealing keyset: %w", err)
	}
	saveErr := k.store.Save(ctx, keysetKey(tenant), sealed.Bytes(), 0)
	key, err = k.load(ctx, tenant)
	if errors.Is(err, ErrNoCredential) && saveErr != nil {
		return nil, fmt.Errorf("saving keyset: %w", saveErr)
	}
	return key, err
}

// destroy makes everything sealed with the tenant's keyset unreadable.
func (k *keysets) destroy(ctx context.Context, tenant events.TenantID) error {
	err := k.store.Delete(ctx, keysetKey(tenant))
	k.cache.Remove(tenant)
	if err != nil {
		return fmt.Errorf("deleting keyset: %w", err)
	}
	return nil
}
