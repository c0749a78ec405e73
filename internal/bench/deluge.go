package bench

import (
	"context"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
)

const (
	quietPeriod = 20 * time.Millisecond
	quietJob    = 5 * time.Millisecond
)

// pourFunc publishes n requests and returns how long that took.
type pourFunc func(ctx context.Context, n int, whose func(i int) (events.TenantID, events.SessionID)) (time.Duration, error)

// deluge is flood after flood of one tenant, and the pulse of another beside
// it. It belongs to one goroutine, but for the pulse's notes and the tally.
type deluge struct {
	pulse   *pulse
	noisy   events.TenantID
	drained *tally // of the present flood
	size    int
	floods  int
	took    time.Duration // of all floods
}

// newDeluge has room for the samples of floods that take as long as anybody
// waits for one.
func (w *world) newDeluge(prefix string, enough int) *deluge {
	return &deluge{
		pulse: newPulse(tenantID(0), prefix, enough+int(w.config.Patience/quietPeriod)+1, quietPeriod),
		noisy: tenantID(1), drained: newTally(w.config.Flood), size: w.config.Flood,
	}
}

// run floods until the pulse has beaten often enough beside it, and returns
// when each of its requests has started.
func (d *deluge) run(ctx context.Context, w *world, enough int, pour pourFunc) error {
	for d.pulse.beats < enough {
		if err := d.once(ctx, w, pour); err != nil {
			return err
		}
	}
	return w.heard(ctx, d.pulse)
}

func (d *deluge) once(ctx context.Context, w *world, pour pourFunc) error {
	prefix := "f" + strconv.Itoa(d.floods) + "-"
	d.floods++
	d.drained.again()
	over, fault := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(over)
		_, err := pour(ctx, d.size, func(i int) (events.TenantID, events.SessionID) {
			return d.noisy, events.SessionID(prefix + strconv.Itoa(i))
		})
		if err == nil {
			var took time.Duration
			took, err = w.wait(ctx, d.drained)
			d.took += took
		}
		fault <- err
	}()
	err := d.pulse.beat(ctx, over)
	<-over
	if err != nil {
		return err
	}
	return <-fault
}
