package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/feira-dev/feira/events"
)

// maxBatch bounds a batch of records, far below the broker's message limit.
const maxBatch = 256

// auditor stores records and makes their callers wait for it. While a batch of
// a tenant is under way, what comes is gathered for the next, so that many
// decryptions at one time cost one round trip. Any number of auditors write one
// chain: whoever finds the end moved reads it again and goes on from there.
//
// A record may be stored twice, or though its caller was told otherwise, when
// an answer was lost. None is missing of a decryption that was handed out.
type auditor struct {
	log      AuditLog
	patience time.Duration
	ends     *lru.Cache[events.TenantID, link]

	mu      sync.Mutex
	waiting map[events.TenantID][]waiter // an entry while a writer of the tenant runs
}

type waiter struct {
	record Record
	stored chan error // buffered, so that nobody waits for a caller that left
}

// write stores a record, or is [ErrAudit].
func (a *auditor) write(ctx context.Context, record Record) error {
	record.ID = rand.Text()
	entry := waiter{record: record, stored: make(chan error, 1)}
	a.mu.Lock()
	queue, running := a.waiting[record.Tenant]
	a.waiting[record.Tenant] = append(queue, entry)
	a.mu.Unlock()
	if !running {
		go a.drain(context.WithoutCancel(ctx), record.Tenant)
	}
	select {
	case err := <-entry.stored:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrAudit, context.Cause(ctx))
	}
}

// drain writes a tenant's batches until none waits.
func (a *auditor) drain(ctx context.Context, tenant events.TenantID) {
	for {
		batch := a.take(tenant)
		if len(batch) == 0 {
			return
		}
		err := a.store(ctx, tenant, batch)
		for _, entry := range batch {
			entry.stored <- err
		}
	}
}

// take removes the next batch; with the last one gone, so is the writer.
func (a *auditor) take(tenant events.TenantID) []waiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue := a.waiting[tenant]
	if len(queue) == 0 {
		delete(a.waiting, tenant)
		return nil
	}
	size := min(len(queue), maxBatch)
	a.waiting[tenant] = queue[size:]
	return queue[:size:size]
}

func (a *auditor) store(ctx context.Context, tenant events.TenantID, batch []waiter) error {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	records := make([]Record, len(batch))
	for i, entry := range batch {
		records[i] = entry.record
	}
	end, known := a.ends.Get(tenant)
	a.ends.Remove(tenant)
	if !known {
		var err error
		if end, err = a.end(ctx, tenant); err != nil {
			return fmt.Errorf("%w: %w", ErrAudit, err)
		}
	}
	for {
		text, next, err := end.extend(records)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrAudit, err)
		}
		var appendErr error
		if next.position, appendErr = a.log.Append(ctx, tenant, text, end.position); appendErr == nil {
			a.ends.Add(tenant, next)
			return nil
		}
		now, err := a.end(ctx, tenant)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrAudit, errors.Join(appendErr, err))
		case now.hash == next.hash: // it arrived, only its answer did not
			a.ends.Add(tenant, now)
			return nil
		case now.position == end.position: // nobody was faster: it failed
			return fmt.Errorf("%w: %w", ErrAudit, appendErr)
		}
		end = now
	}
}

// end reads the end of a tenant's chain.
func (a *auditor) end(ctx context.Context, tenant events.TenantID) (link, error) {
	batch, position, err := a.log.Last(ctx, tenant)
	if err != nil {
		return link{}, fmt.Errorf("reading the chain's end: %w", err)
	}
	return lastLink(batch, position)
}
