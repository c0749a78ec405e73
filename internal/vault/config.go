package vault

import (
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// MaxCacheFor bounds how long a keyset that was destroyed may live on in memory.
const MaxCacheFor = 5 * time.Minute

const (
	defaultCacheSize = 4096
	maxWriteTries    = 8
)

// Config says how a [Vault] works.
type Config struct {
	// KEK seals the tenants' keysets. Required. [FileKEK] is one for development;
	// any Tink AEAD of a key management service does.
	KEK tink.AEAD
	// Store keeps what is sealed. Required.
	Store Store
	// CacheFor is how long a tenant's keyset is kept in memory, so that the KEK
	// is not asked for each call. Defaults to [MaxCacheFor], which is the most.
	CacheFor time.Duration
	// CacheSize is how many tenants' keysets are kept in memory. Defaults to 4096.
	CacheSize int
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.CacheFor == 0 {
		c.CacheFor = MaxCacheFor
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	if c.KEK == nil {
		faults = append(faults, errors.New("vault: KEK is missing"))
	}
	if c.Store == nil {
		faults = append(faults, errors.New("vault: Store is missing"))
	}
	if c.CacheFor < 0 || c.CacheFor > MaxCacheFor {
		faults = append(faults, fmt.Errorf("vault: CacheFor is %s, want 0 to %s", c.CacheFor, MaxCacheFor))
	}
	if c.CacheSize < 0 {
		faults = append(faults, fmt.Errorf("vault: CacheSize is %d, want 0 or more", c.CacheSize))
	}
	return errors.Join(faults...)
}
