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

// sendFunc publishes a request of its own session and returns when the broker
// has it.
type sendFunc func(ctx context.Context, id events.TenantID, session events.SessionID) error

// over sends through Feira, on this connection.
func (w *world) over(b *bus.Bus) sendFunc {
	return func(ctx context.Context, id events.TenantID, session events.SessionID) error {
		return w.publish(ctx, b, id, session)
	}
}

// pulse publishes at a steady pace for one tenant and notes how long each
// request waits for its start. Sessions are of one request, and their names
// are the places of the notes. It beats for one goroutine at a time.
type pulse struct {
	tenant events.TenantID
	prefix string
	period time.Duration
	send   sendFunc
	sent   []atomic.Int64 // nanoseconds since begun, at the publication
	wait   []atomic.Int64 // nanoseconds; 0 is not started
	begun  time.Time
	beats  int // how many were sent
	starts atomic.Int64
	start  chan struct{} // of one place: another one has started
}

func newPulse(id events.TenantID, prefix string, most int, period time.Duration) *pulse {
	return &pulse{
		tenant: id, prefix: prefix, period: period,
		sent: make([]atomic.Int64, most), wait: make([]atomic.Int64, most), begun: time.Now(), start: make(chan struct{}, 1),
	}
}

// beat publishes every period until the notes are full or until is closed, and
// goes on where it was when it is called again. A publication that is slow does
// not put off the next.
func (p *pulse) beat(ctx context.Context, until <-chan struct{}) error {
	ticker := time.NewTicker(p.period)
	defer ticker.Stop()
	var publishing sync.WaitGroup
	defer publishing.Wait()
	fault := make(chan error, 1)
	for p.beats < len(p.sent) {
		n := p.beats
		p.beats++
		publishing.Go(func() {
			p.sent[n].Store(int64(time.Since(p.begun)))
			if err := p.send(ctx, p.tenant, events.SessionID(p.prefix+strconv.Itoa(n))); err != nil {
				select {
				case fault <- err:
				default:
				}
			}
		})
		select {
		case <-ticker.C:
		case err := <-fault:
			return err
		case <-until:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
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
	if p.wait[n].CompareAndSwap(0, max(now-p.sent[n].Load(), 1)) {
		p.starts.Add(1)
		select {
		case p.start <- struct{}{}:
		default:
		}
	}
	return true
}

// waits are those of what was started.
func (p *pulse) waits() []time.Duration {
	var waits []time.Duration
	for i := range p.wait {
		if wait := p.wait[i].Load(); wait > 0 {
			waits = append(waits, time.Duration(wait))
		}
	}
	return waits
}
