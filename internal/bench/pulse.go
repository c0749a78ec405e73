package bench

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

// pulse publishes at a steady pace for one tenant and notes how long each
// request waits for its start. Sessions are of one request, and their names
// are the places of the notes.
type pulse struct {
	tenant events.TenantID
	prefix string
	sent   []atomic.Int64 // nanoseconds since begun, at the publication
	wait   []atomic.Int64 // nanoseconds; 0 is not started
	begun  time.Time
}

func newPulse(id events.TenantID, prefix string, most int) *pulse {
	return &pulse{tenant: id, prefix: prefix, sent: make([]atomic.Int64, most), wait: make([]atomic.Int64, most), begun: time.Now()}
}

// beat publishes every period until the notes are full or until is closed, and
// returns how many were accepted. A publication that is slow does not put off
// the next.
func (p *pulse) beat(ctx context.Context, b *bus.Bus, period time.Duration, until <-chan struct{}) (int, error) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	var publishing sync.WaitGroup
	defer publishing.Wait()
	fault := make(chan error, 1)
	for n := range p.sent {
		publishing.Go(func() {
			if err := p.publish(ctx, b, n); err != nil {
				select {
				case fault <- err:
				default:
				}
			}
		})
		select {
		case <-ticker.C:
		case err := <-fault:
			return n, err
		case <-until:
			return n + 1, nil
		case <-ctx.Done():
			return n + 1, context.Cause(ctx)
		}
	}
	return len(p.sent), nil
}

func (p *pulse) publish(ctx context.Context, b *bus.Bus, n int) error {
	message, err := request(p.tenant, events.SessionID(p.prefix+strconv.Itoa(n)))
	if err != nil {
		return err
	}
	p.sent[n].Store(int64(time.Since(p.begun)))
	_, err = b.Requests().Publish(ctx, message)
	return err
}

// started notes the start of a run that may be the pulse's.
func (p *pulse) started(run events.Run) bool {
	now := int64(time.Since(p.begun))
	if run.Tenant != p.tenant || len(run.Session) <= len(p.prefix) || string(run.Session[:len(p.prefix)]) != p.prefix {
		return false
	}
	n, err := strconv.Atoi(string(run.Session[len(p.prefix):]))
	if err != nil || n < 0 || n >= len(p.wait) {
		return false
	}
	p.wait[n].CompareAndSwap(0, max(now-p.sent[n].Load(), 1))
	return true
}

// waits are those of the first n that were started.
func (p *pulse) waits(n int) []time.Duration {
	var waits []time.Duration
	for i := range n {
		if wait := p.wait[i].Load(); wait > 0 {
			waits = append(waits, time.Duration(wait))
		}
	}
	return waits
}
