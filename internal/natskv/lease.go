package natskv

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// LeaseConfig says which lease, and how long it lasts. Everybody who contends
// for a lease must have the same.
type LeaseConfig struct {
	// Key names the lease. Defaults to [events.KeySchedulerLease].
	Key string
	// TTL is how long a holder keeps the lease without refreshing it. Defaults
	// to [events.LeaseTTL].
	TTL time.Duration
	// Refresh is how often the holder refreshes it. Defaults to
	// [events.LeaseRefresh].
	Refresh time.Duration
}

func (c LeaseConfig) withDefaults() LeaseConfig {
	if c.Key == "" {
		c.Key = events.KeySchedulerLease
	}
	if c.TTL == 0 {
		c.TTL = events.LeaseTTL
	}
	if c.Refresh == 0 {
		c.Refresh = events.LeaseRefresh
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c LeaseConfig) Validate() error {
	c = c.withDefaults()
	if c.Refresh < 0 || c.TTL < 2*c.Refresh {
		return fmt.Errorf("%w: lease: ttl is %s, want at least twice refresh (%s)", ErrConfig, c.TTL, c.Refresh)
	}
	return nil
}

// Lease makes one of several processes the leader.
//
//	free ──create──► held ──refresh──► held ──not refreshed for TTL──► taken over
//	  ▲               │
//	  └───release─────┘
//
// It trusts no two clocks to agree, only each to run at the right speed. A
// holder counts TTL from before it sent its last good refresh; a standby counts
// TTL from after it saw that refresh, which is later. So the holder has given
// up before the standby takes over, and the takeover names the revision it
// replaces, so that of several standbys one succeeds. A holder that does not
// run at that moment (a frozen process) cannot know: what it writes must be
// fenced by the broker, see [Held.Valid].
type Lease struct {
	bucket *bucket
	config LeaseConfig
}

// Lease opens the leases' bucket.
func (c *Client) Lease(ctx context.Context, config LeaseConfig) (*Lease, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	bucket, err := c.open(ctx, events.BucketLeases)
	if err != nil {
		return nil, err
	}
	status, err := bucket.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", events.BucketLeases, err)
	}
	// A bucket that forgets sooner would let a standby in beside the holder.
	if age := status.TTL(); age > 0 && age < config.TTL {
		return nil, fmt.Errorf("%w: lease: bucket %s keeps entries for %s only, a lease lasts %s", ErrConfig, events.BucketLeases, age, config.TTL)
	}
	return &Lease{bucket: bucket, config: config}, nil
}

// answerPatience is how long to wait for the broker's answer. One that was lost
// with its connection never comes and nobody says so; a short wait leaves time
// for another try before the lease has run out.
func (l *Lease) answerPatience() time.Duration { return min(l.config.TTL/2, time.Second) }

// owned reports whether an entry was written under this token.
func owned(entry jetstream.KeyValueEntry, token string) bool {
	var read claim
	return json.Unmarshal(entry.Value(), &read) == nil && read.Token == token
}

// claim is the value of a lease's entry.
type claim struct {
	// Holder is for people.
	Holder string `json:"holder"`
	// Token is of one Acquire, so that it knows its own writes again.
	Token string `json:"token"`
}

// Acquire blocks until it holds the lease, or ctx ends. The holder's name is
// for people; any number of contenders may have the same. Losing the broker
// meanwhile is no error.
func (l *Lease) Acquire(ctx context.Context, holder string) (*Held, error) {
	token := rand.Text()
	value, err := json.Marshal(claim{Holder: holder, Token: token})
	if err != nil {
		return nil, fmt.Errorf("acquiring lease %s: %w", l.config.Key, err)
	}
	c := &contender{lease: l, token: token, value: value, news: make(chan struct{}, 1)}
	held, err := c.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquiring lease %s: %w", l.config.Key, err)
	}
	l.bucket.client.logger.InfoContext(ctx, "lease acquired", slog.String("lease", l.config.Key), slog.String("holder", holder))
	return held, nil
}
