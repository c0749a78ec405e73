package natskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gcra"
	"github.com/feira-dev/feira/internal/tenant"
)

// maxShares is how many tenants' leases are held. One that is forgotten loses
// its tokens, so its tenant gets a little less and never more.
const maxShares = 65_536

// Rates limits how often a tenant may do something, over all processes that
// share the bucket. A tenant's tokens lie in the broker; each process takes
// leases of them by compare-and-set (see [gcra.Lease]), so that a busy tenant
// costs a round trip now and then, and one that has nothing left none.
//
// All processes reckon in the broker's time, so their clocks need not agree. The
// bucket is in memory: where the broker is one server, its restart fills every
// tenant's tokens up. It is safe for concurrent use.
type Rates struct {
	bucket *bucket
	stream jetstream.StreamConfig // how to make the bucket anew
	clock  *brokerClock
	shares *lru.Cache[tenant.ID, *rateShare]
}

// rateShare is what this process has of a tenant's tokens. It belongs to who
// has its turn.
type rateShare struct {
	turn  chan struct{} // of one place
	lease gcra.Lease

	// The bucket as it was last known, which it was if known is set.
	known    bool
	state    gcra.Bucket
	revision uint64 // 0: there was none
}

// Rates opens the rates' bucket and learns the broker's time.
func (c *Client) Rates(ctx context.Context) (*Rates, error) {
	bucket, err := c.open(ctx, events.BucketRates)
	if err != nil {
		return nil, err
	}
	stream, err := c.js.Stream(ctx, "KV_"+events.BucketRates)
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", events.BucketRates, err)
	}
	shares, err := lru.New[tenant.ID, *rateShare](maxShares)
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", events.BucketRates, err)
	}
	r := &Rates{bucket: bucket, stream: stream.CachedInfo().Config, clock: newBrokerClock(), shares: shares}
	if _, err := bucket.Put(ctx, events.KeyRatesClock, nil); err != nil {
		return nil, fmt.Errorf("asking the broker for its time: %w", err)
	}
	stamp, err := bucket.latest(ctx, events.KeyRatesClock)
	if err != nil {
		return nil, fmt.Errorf("asking the broker for its time: %w", err)
	}
	r.clock.saw(stamp.created)
	return r, nil
}

// Allow takes one of the tenant's tokens, if there is one. Its error is
// [gcra.ErrInvalid], or [ErrUnmetered] when the broker does not answer: then
// nothing is allowed. To let everything through instead would help nobody, since
// what is let through has to be published to the same broker.
//
// A limit counts in minutes, and its burst must be made good within
// [events.RatesAge]: a tenant that is quiet for so long is forgotten.
func (r *Rates) Allow(ctx context.Context, id tenant.ID, limit gcra.Limit) (gcra.Decision, error) {
	if err := checkRate(id, limit); err != nil {
		return gcra.Decision{}, err
	}
	own := r.share(id)
	select {
	case own.turn <- struct{}{}:
		defer func() { <-own.turn }()
	case <-ctx.Done():
		return gcra.Decision{}, fmt.Errorf("%w: %w", ErrUnmetered, context.Cause(ctx))
	}
	now := r.clock.now()
	if own.lease.Spend(now) {
		return own.lease.Decide(true, now), nil
	}
	if !own.lease.Closed(now, limit) {
		if err := r.borrow(ctx, id, own, limit); err != nil {
			own.known = false
			return gcra.Decision{}, fmt.Errorf("%w: %w", ErrUnmetered, err)
		}
		now = r.clock.now()
	}
	allowed := own.lease.Spend(now)
	return own.lease.Decide(allowed, now), nil
}

func checkRate(id tenant.ID, limit gcra.Limit) error {
	if _, err := events.ParseTenantID(string(id)); err != nil {
		return err
	}
	if err := limit.Validate(); err != nil {
		return err
	}
	if limit.Period != time.Minute {
		return fmt.Errorf("%w: period is %s, want a minute", gcra.ErrInvalid, limit.Period)
	}
	if most := limit.Rate * int(events.RatesAge/limit.Period); limit.Burst > most {
		return fmt.Errorf("%w: burst is %d, want at most %d for a rate of %d a minute", gcra.ErrInvalid, limit.Burst, most, limit.Rate)
	}
	return nil
}

func (r *Rates) share(id tenant.ID) *rateShare {
	if own, found := r.shares.Get(id); found {
		return own
	}
	fresh := &rateShare{turn: make(chan struct{}, 1)}
	if own, found, _ := r.shares.PeekOrAdd(id, fresh); found {
		return own
	}
	return fresh
}

// borrow takes a lease, or finds that there is nothing to take. It begins with
// what it knows of the bucket, which is right where the tenant is busy here
// alone, and reads it when another process has changed it.
func (r *Rates) borrow(ctx context.Context, id tenant.ID, own *rateShare, limit gcra.Limit) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for {
		if !own.known {
			if err := r.read(ctx, id, own, limit); err != nil {
				return err
			}
		}
		state, lease := own.state, own.lease
		if lease.Borrow(&state, r.clock.now(), limit) == 0 {
			own.lease = lease // there were more tokens when it was last known, if anything
			return nil
		}
		data, err := json.Marshal(rateRecord{Parts: state.Parts, Since: state.Since})
		if err != nil {
			return fmt.Errorf("laying out the rate of %s: %w", id, err)
		}
		revision, err := r.bucket.Update(ctx, string(id), data, own.revision)
		switch {
		case err == nil:
			own.state, own.lease, own.revision = state, lease, revision
			return nil
		case refused(err), errors.Is(err, jetstream.ErrNoStreamResponse):
			own.known = false
		default:
			return fmt.Errorf("taking tokens of %s: %w", id, err)
		}
	}
}

// rateRecord is the value of a tenant's entry.
type rateRecord struct {
	// Parts and Since are those of a [gcra.Bucket], in the broker's time.
	Parts int64 `json:"parts"`
	Since int64 `json:"since"`
}

// read learns what is in the tenant's bucket; a tenant without one has a full one.
func (r *Rates) read(ctx context.Context, id tenant.ID, own *rateShare, limit gcra.Limit) error {
	entry, err := r.bucket.latest(ctx, string(id))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		entry, err = latest{}, r.remake(ctx)
	}
	if err != nil {
		return err
	}
	own.known, own.revision = true, entry.revision
	if entry.revision == 0 || entry.removed {
		own.state = gcra.NewBucket(r.clock.now(), limit)
		return nil
	}
	r.clock.saw(entry.created)
	var record rateRecord
	if err := json.Unmarshal(entry.value, &record); err != nil {
		// It is not known what there was, so there is nothing, and it fills again.
		r.bucket.client.logger.WarnContext(ctx, "rate entry passed over", slog.String("tenant", string(id)), slog.Any("error", err))
		record = rateRecord{}
	}
	// Nobody who keeps the broker's time writes of what is to come.
	own.state = gcra.Bucket{Parts: max(0, record.Parts), Since: min(record.Since, entry.created.UnixMicro())}
	if record.Since == 0 {
		own.state.Since = entry.created.UnixMicro()
	}
	return nil
}

// remake makes the bucket again: a broker of one server has forgotten it, being
// in memory, when it comes back.
func (r *Rates) remake(ctx context.Context) error {
	_, err := r.bucket.client.js.CreateStream(ctx, r.stream)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return fmt.Errorf("making bucket %s again: %w", events.BucketRates, err)
	}
	return nil
}
