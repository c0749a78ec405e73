package bench

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/events"
)

const (
	flooders     = 10
	fairWeights  = 4
	fairSlots    = 32
	fairJob      = 10 * time.Millisecond
	fairSettling = time.Second // before the window, in which the flood gets going
)

// meterBoard counts the slot-seconds of each tenant inside a window.
type meterBoard struct {
	begun    time.Time
	from, to time.Duration // of the window, since begun; fixed before the start
	index    map[events.TenantID]int
	spent    []atomic.Int64
	runs     atomic.Int64
}

func (b *meterBoard) count(run events.Run, from, to time.Duration) {
	from, to = max(from, b.from), min(to, b.to)
	if to > from {
		b.spent[b.index[run.Tenant]].Add(int64(to - from))
		b.runs.Add(1)
	}
}

// fairness has ten tenants of weights 1 to 4 want every slot, and compares
// their slot-seconds as the handlers measure them.
func fairness(ctx context.Context, w *world, report *Report) error {
	w.settle(flooders, fairSlots)
	total := 0
	for i := range w.tenants {
		w.tenants[i].Weight = i%fairWeights + 1
		total += w.tenants[i].Weight
	}
	// Half as much again as the largest share can use up, so that nobody's
	// queue runs dry inside the window.
	jobs := int(float64(fairSlots) * (w.config.Window + 2*fairSettling).Seconds() / fairJob.Seconds())
	most := jobs*fairWeights*3/(2*total) + 1
	if _, err := w.fill(ctx, flooders*most, roundRobin(flooders)); err != nil {
		return err
	}
	if _, _, err := w.lead(ctx, "fairness"); err != nil {
		return err
	}
	board := &meterBoard{
		begun: time.Now(), from: fairSettling, to: fairSettling + w.config.Window,
		index: map[events.TenantID]int{}, spent: make([]atomic.Int64, flooders),
	}
	for i, customer := range w.tenants {
		board.index[customer.ID] = i
	}
	served := newTally(flooders * most)
	b, err := w.connect(ctx)
	if err != nil {
		return err
	}
	err = w.pool(ctx, b, fairSlots, job(served, func(ctx context.Context, run events.Run) error {
		from := time.Since(board.begun)
		if from > board.to {
			return nil
		}
		err := work(ctx, fairJob)
		board.count(run, from, time.Since(board.begun))
		return err
	}))
	if err != nil {
		return err
	}
	if err := work(ctx, board.to-time.Since(board.begun)+2*fairJob); err != nil {
		return err
	}
	report.Fairness = w.share(board, total)
	w.say("Jain %.4f, largest share error %.4f", report.Fairness.Jain, report.Fairness.MaxShareError)
	return nil
}

func (w *world) share(board *meterBoard, weights int) *Fairness {
	var all int64
	for i := range board.spent {
		all += board.spent[i].Load()
	}
	result := &Fairness{Runs: int(board.runs.Load())}
	if all == 0 {
		return result
	}
	shares := make([]float64, flooders)
	for i, customer := range w.tenants {
		ideal := float64(all) * float64(customer.Weight) / float64(weights)
		shares[i] = float64(board.spent[i].Load()) / ideal
		result.MaxShareError = max(result.MaxShareError, round(math.Abs(shares[i]-1)))
	}
	result.Jain = round(jain(shares))
	result.Utilisation = round(float64(all) / (float64(fairSlots) * float64(board.to-board.from)))
	return result
}
