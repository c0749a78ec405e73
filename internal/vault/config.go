package vault

import (
	"errors"
	"fmt"
	"time"
)

// MaxCacheFor bounds how long a keyset that was destroyed may live on in memory.
const MaxCacheFor = 5 * time.Minute

const (
	defaultCacheSize = 4096
	defaultActor     = "feira"
	defaultPatience  = 5 * time.Second
	maxWriteTries    = 32 // each of many at one moment is refused once for each that is done
	// putPatience bounds a sealing, well below the grace of a rotated key.
	putPatience = 30 * time.Second
)

// Config says how a [Vault] works.
type Config struct {
	// KEK seals the tenants' keysets. Required; see [OpenKEK].
	KEK KEK
	// OtherKEKs open keysets that were sealed before KEK was, or are to be. No
	// keyset is opened by any other, whatever is written beside it.
	OtherKEKs []KEK
	// Store keeps what is sealed. Required.
	Store Store
	// Audit keeps the record of every decryption. Required.
	Audit AuditLog
	// Plain are names of fields, of any server, that are no secret, as the end of
	// a token. Their values, of 64 bytes at most, can be read by whoever reads the
	// store, and by [Vault.List]; they are authenticated like all that is said of
	// a credential. Defaults to none.
	Plain []string
	// Actor names this process in the records. Defaults to "feira".
	Actor string
	// CacheFor is how long a tenant's keyset is kept in memory, so that the KEK
	// is not asked for each call. Defaults to [MaxCacheFor], which is the most.
	CacheFor time.Duration
	// CacheSize is how many tenants' keysets are kept in memory. Defaults to 4096.
	CacheSize int
	// Grace is how long a rotated key goes on opening, so that no process seals
	// with it any more when it is destroyed. Defaults to [MaxCacheFor], which is
	// the least.
	Grace time.Duration
	// AuditPatience bounds the storing of a record. Defaults to 5 s.
	AuditPatience time.Duration
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
	if c.Actor == "" {
		c.Actor = defaultActor
	}
	if c.Grace == 0 {
		c.Grace = MaxCacheFor
	}
	if c.AuditPatience == 0 {
		c.AuditPatience = defaultPatience
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	if c.KEK.Key == nil || c.KEK.Name == "" {
		faults = append(faults, errors.New("vault: KEK is missing"))
	}
	if c.Store == nil {
		faults = append(faults, errors.New("vault: Store is missing"))
	}
	for i, kek := range c.OtherKEKs {
		if kek.Key == nil || kek.Name == "" {
			faults = append(faults, fmt.Errorf("vault: OtherKEKs[%d] is missing", i))
		}
	}
	if c.Audit == nil {
		faults = append(faults, errors.New("vault: Audit is missing"))
	}
	if c.Grace < MaxCacheFor {
		faults = append(faults, fmt.Errorf("vault: Grace is %s, want %s or more", c.Grace, MaxCacheFor))
	}
	if c.AuditPatience < 0 {
		faults = append(faults, fmt.Errorf("vault: AuditPatience is %s, want 0 or more", c.AuditPatience))
	}
	if c.CacheFor < 0 || c.CacheFor > MaxCacheFor {
		faults = append(faults, fmt.Errorf("vault: CacheFor is %s, want 0 to %s", c.CacheFor, MaxCacheFor))
	}
	if c.CacheSize < 0 {
		faults = append(faults, fmt.Errorf("vault: CacheSize is %d, want 0 or more", c.CacheSize))
	}
	return errors.Join(faults...)
}
