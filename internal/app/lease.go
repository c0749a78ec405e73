package app

import (
	"context"

	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/workers/exporting"
	"github.com/feira-dev/feira/workers/scheduling"
	"github.com/feira-dev/feira/workers/triggers"
)

// lease lets the replicas of a role compete for a key in the lease bucket. Each
// role says by a type of its own, T, what it asks of a lease in hand.
type lease[T any] struct {
	leases *natskv.Lease
	tenure func(*natskv.Held) T
}

// Acquire implements the Lease of each role.
func (l lease[T]) Acquire(ctx context.Context, holder string) (T, error) {
	held, err := l.leases.Acquire(ctx, holder)
	if err != nil {
		var none T
		return none, err
	}
	return l.tenure(held), nil
}

func schedulerLease(leases *natskv.Lease) scheduling.Lease {
	return lease[scheduling.Tenure]{leases, func(held *natskv.Held) scheduling.Tenure { return held }}
}

func triggersLease(leases *natskv.Lease) triggers.Lease {
	return lease[triggers.Tenure]{leases, func(held *natskv.Held) triggers.Tenure { return held }}
}

func exporterLease(leases *natskv.Lease) exporting.Lease {
	return lease[exporting.Tenure]{leases, func(held *natskv.Held) exporting.Tenure { return held }}
}
