package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// shareBucket is the grain of shares over time.
const shareBucket = 250 * time.Millisecond

// meterBoard counts the slot-seconds of each tenant: inside a window, and over
// time. It is safe for concurrent use.
type meterBoard struct {
	begun    time.Time
	from, to time.Duration // of the window, since begun; fixed before the start
	tenants  []tenant.Tenant
	index    map[events.TenantID]int
	spent    []atomic.Int64
	buckets  [][]atomic.Int64 // of a tenant and a time
	runs     atomic.Int64
}

func newMeterBoard(tenants []tenant.Tenant, window time.Duration) *meterBoard {
	b := &meterBoard{
		begun: time.Now(), from: settling(window), to: settling(window) + window,
		tenants: tenants, index: map[events.TenantID]int{}, spent: make([]atomic.Int64, len(tenants)),
	}
	for i, customer := range tenants {
		b.index[customer.ID] = i
		b.buckets = append(b.buckets, make([]atomic.Int64, int(b.to/shareBucket)))
	}
	return b
}

// work takes a slot for the time of a job, and nothing once the window is over.
func (b *meterBoard) work(ctx context.Context, run events.Run) error {
	from := time.Since(b.begun)
	if from > b.to {
		return nil
	}
	err := work(ctx, fairJob)
	b.count(run, from, time.Since(b.begun))
	return err
}

func (b *meterBoard) count(run events.Run, from, to time.Duration) {
	i := b.index[run.Tenant]
	for at := int(from / shareBucket); at < len(b.buckets[i]) && time.Duration(at)*shareBucket < to; at++ {
		begin := time.Duration(at) * shareBucket
		b.buckets[i][at].Add(int64(min(to, begin+shareBucket) - max(from, begin)))
	}
	if from, to = max(from, b.from), min(to, b.to); to > from {
		b.spent[i].Add(int64(to - from))
		b.runs.Add(1)
	}
}

// watch returns when the window is over.
func (b *meterBoard) watch(ctx context.Context) error {
	return work(ctx, b.to-time.Since(b.begun)+2*fairJob)
}

// lines are the shares of all slot-seconds over time, in percent, a colour a
// weight, with a dashed one where the weight's share is to be.
func (b *meterBoard) lines() []line {
	var drawn []line
	weights, named := 0, map[int]bool{}
	for _, customer := range b.tenants {
		weights += customer.Weight
	}
	for i, customer := range b.tenants {
		next := line{colour: customer.Weight - 1}
		if !named[customer.Weight] {
			named[customer.Weight] = true
			next.name = fmt.Sprintf("weight %d", customer.Weight)
			ideal := 100 * float64(customer.Weight) / float64(weights)
			drawn = append(drawn, line{
				colour: next.colour, dashed: true, points: []point{{0, ideal}, {b.to.Seconds(), ideal}},
			})
		}
		for at := range b.buckets[i] {
			var all int64
			for j := range b.buckets {
				all += b.buckets[j][at].Load()
			}
			if all > 0 {
				middle := (time.Duration(at)*shareBucket + shareBucket/2).Seconds()
				next.points = append(next.points, point{middle, 100 * float64(b.buckets[i][at].Load()) / float64(all)})
			}
		}
		drawn = append(drawn, next)
	}
	return drawn
}
