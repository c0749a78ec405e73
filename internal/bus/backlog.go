package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// List lists the requests of one tenant that have not ended, waiting or
// running, in stream order, as they were when it was asked.
func (r *Requests) List(ctx context.Context, tenant events.TenantID) ([]events.RequestHead, error) {
	reader := reader{bus: r.bus, config: readerConfig{Stream: events.StreamRequests, Subject: events.RequestsSubject(tenant), HeadersOnly: true}}
	var heads []events.RequestHead
	err := reader.run(ctx, func(batch []events.Headline, caughtUp bool) error {
		for _, headline := range batch {
			// A head at fault names its request all the same.
			head, _ := events.ParseRequestHead(headline.Message, headline.Size)
			heads = append(heads, head)
		}
		if caughtUp {
			return errCaughtUp
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errCaughtUp):
		return nil, fmt.Errorf("listing requests of %s: %w", tenant, err)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("listing requests of %s: %w", tenant, context.Cause(ctx))
	}
	return heads, nil
}

// BacklogError is [ErrBacklogFull] with its figures.
type BacklogError struct {
	Tenant events.TenantID
	// Depth is how many requests are queued, and Limit how many may be.
	Depth, Limit int
}

// Error implements error.
func (e *BacklogError) Error() string {
	return fmt.Sprintf("%s: tenant %s has %d requests queued, its limit is %d", ErrBacklogFull, e.Tenant, e.Depth, e.Limit)
}

// Unwrap implements the interface that [errors.Is] looks for.
func (e *BacklogError) Unwrap() error { return ErrBacklogFull }

// Room fails with [ErrBacklogFull] when the tenant has as many requests queued
// as the limit says, and may fail so when it has just had; a limit of 0 leaves
// it to Publish. It spares a producer a request that the scheduler, which counts
// exactly, would end as rejected.
func (r *Requests) Room(ctx context.Context, tenant events.TenantID, limit int) error {
	if limit == 0 {
		return nil
	}
	queued, err := r.queued(ctx, tenant)
	if err != nil {
		return fmt.Errorf("counting requests of %s: %w", tenant, err)
	}
	if queued >= limit {
		return &BacklogError{Tenant: tenant, Depth: queued, Limit: limit}
	}
	return nil
}

// queued counts the tenant's requests that have no run.
func (r *Requests) queued(ctx context.Context, tenant events.TenantID) (int, error) {
	subject := events.RequestsSubject(tenant)
	_, requests, err := r.bus.subjects(ctx, events.StreamRequests, subject)
	if err != nil {
		return 0, err
	}
	_, runs, err := r.bus.subjects(ctx, events.StreamRuns, events.RunsSubject(tenant, "*"))
	if err != nil {
		return 0, err
	}
	return int(requests[subject]) - len(runs), nil //nolint:gosec // the broker keeps far fewer than that
}
