package natskv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/lifecycle"
)

const (
	// askPatience bounds one question to the leader.
	askPatience = time.Second
	// maxQuestions is how many of them are under way at one time. What is above
	// waits, so that a flood of keys that nobody has made does not flood the broker.
	maxQuestions = 32
	// maxStrangers hashes that nobody knows are remembered, each for strangerAge.
	maxStrangers = 8192
	strangerAge  = 2 * time.Second
)

// KeyringConfig says how keys are held in memory.
type KeyringConfig struct {
	// Keys is where they are from.
	Keys *Keys
	// MaxAge is how long the memory is trusted after it was last known to be as
	// the leader's: the longest that a revocation can go unheard of. Defaults to
	// a second.
	MaxAge time.Duration
	// Check is how often it is compared with the leader's. Defaults to a quarter
	// of MaxAge.
	Check time.Duration
	// NoteUse is how often it is written, at most, that a key was used. Defaults
	// to a minute.
	NoteUse time.Duration
	// Now is the time of uses. Defaults to time.Now.
	Now func() time.Time
}

func (c KeyringConfig) withDefaults() KeyringConfig {
	c.MaxAge = cmp.Or(c.MaxAge, time.Second)
	c.Check = cmp.Or(c.Check, c.MaxAge/4)
	c.NoteUse = cmp.Or(c.NoteUse, time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c KeyringConfig) Validate() error {
	c = c.withDefaults()
	var faults []error
	if c.Keys == nil {
		faults = append(faults, fmt.Errorf("%w: keyring: keys is missing", ErrConfig))
	}
	if c.Check <= 0 || c.MaxAge < 2*c.Check {
		faults = append(faults, fmt.Errorf("%w: keyring: max_age is %s, want at least twice check (%s)", ErrConfig, c.MaxAge, c.Check))
	}
	if c.NoteUse <= 0 {
		faults = append(faults, fmt.Errorf("%w: keyring: note_use is %s", ErrConfig, c.NoteUse))
	}
	return errors.Join(faults...)
}

// Keyring is every key in memory, kept up to date by a watch. It is a
// [lifecycle.Part] whose Start returns when it has caught up.
//
// A watch that is behind cannot tell, and neither can one whose broker answers
// no more. So the leader is asked several times a second for the last change,
// and the memory counts only while the watch has been seen to have it:
//
//	change at the leader ──watch──► memory
//	last change of the leader, asked at t ──► the memory has it: good until t + MaxAge
//
// When it does not count, and for a hash that it does not know (a key made an
// instant ago), the leader is asked for that one key; when that fails, the answer
// is [ErrUnsure] and nobody is let in.
type Keyring struct {
	*lifecycle.Runner

	config    KeyringConfig
	flights   singleflight.Group
	questions chan struct{}                      // holds one for each question under way
	strangers *lru.Cache[access.Hash, time.Time] // hashes without a key, and until when
	fresh     atomic.Pointer[time.Time]          // when the memory was last as the leader's
	moved     chan struct{}                      // of one place: seen or caughtUp has changed
	mu        sync.RWMutex                       // guards what follows, which the watch writes
	keys      map[access.Hash]*heldKey
	round     int    // how often all entries have begun to come
	seen      uint64 // the last change of this round
	caughtUp  bool   // this round has brought all there were
}

// heldKey is a key in memory.
type heldKey struct {
	key   access.Key
	round int          // when it was last brought
	used  atomic.Int64 // when it was last used, in Unix seconds
	noted int64        // what was written of it; the noting goroutine's own
}

// NewKeyring returns an idle, empty keyring.
func NewKeyring(config KeyringConfig) (*Keyring, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	strangers, err := lru.New[access.Hash, time.Time](maxStrangers)
	if err != nil {
		return nil, fmt.Errorf("making a keyring: %w", err)
	}
	k := &Keyring{
		config: config.withDefaults(), questions: make(chan struct{}, maxQuestions), strangers: strangers,
		moved: make(chan struct{}, 1), keys: map[access.Hash]*heldKey{},
	}
	k.Runner = lifecycle.NewRunner("keyring", k.run)
	return k, nil
}

// Lookup returns a key, not to be modified; false when there is none. Revoked
// and expired ones are found: [access.Key.Admit] refuses them. It does no I/O for
// a key that it holds, unless the broker has not been heard of for MaxAge.
func (k *Keyring) Lookup(ctx context.Context, hash access.Hash) (access.Key, bool, error) {
	now := k.config.Now()
	if k.trusted() {
		k.mu.RLock()
		held, found := k.keys[hash]
		k.mu.RUnlock()
		if found {
			held.use(now)
			return held.key, true, nil
		}
	}
	if until, known := k.strangers.Get(hash); known && time.Now().Before(until) {
		return access.Key{}, false, nil
	}
	key, found, err := k.ask(ctx, hash)
	switch {
	case err != nil:
		return access.Key{}, false, fmt.Errorf("%w: %w", ErrUnsure, err)
	case !found:
		k.strangers.Add(hash, time.Now().Add(strangerAge))
	}
	return key, found, nil
}

// trusted reports whether the memory counts.
func (k *Keyring) trusted() bool {
	fresh := k.fresh.Load()
	return fresh != nil && time.Since(*fresh) < k.config.MaxAge
}

// ask asks the leader for a key, once for all who want to know it now.
func (k *Keyring) ask(ctx context.Context, hash access.Hash) (access.Key, bool, error) {
	type answer struct {
		key   access.Key
		found bool
	}
	flight := k.flights.DoChan(string(hash[:]), func() (any, error) {
		// Whoever asked first may go; the others still want to know.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
		defer cancel()
		select {
		case k.questions <- struct{}{}:
			defer func() { <-k.questions }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		key, found, err := k.config.Keys.Lookup(ctx, hash)
		return answer{key, found}, err
	})
	select {
	case landed := <-flight:
		if landed.Err != nil {
			return access.Key{}, false, landed.Err
		}
		told, _ := landed.Val.(answer)
		return told.key, told.found, nil
	case <-ctx.Done():
		return access.Key{}, false, context.Cause(ctx)
	}
}

func (h *heldKey) use(now time.Time) {
	if second := now.Unix(); h.used.Load() != second {
		h.used.Store(second)
	}
}

// run watches, checks and notes until fetch ends.
func (k *Keyring) run(fetch, _ context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(fetch)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	others.Go(func() { k.check(ctx) })
	others.Go(func() { k.note(ctx) })
	return k.config.Keys.bucket.follow(fetch, events.KeyAllHashes, follower{
		begin:    k.begin,
		entry:    k.entry(fetch),
		caughtUp: func() { k.sweep(); ready() },
	})
}
