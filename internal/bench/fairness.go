package bench

import (
	"context"
	"math"
	"time"

	"github.com/feira-dev/feira/events"
)

const (
	flooders    = 10
	fairWeights = 4
	fairSlots   = 32
	fairJob     = 10 * time.Millisecond
	// fifoPart is the part of the window that a plain work queue is watched for.
	fifoPart = 3
)

// fairness has ten tenants of weights 1 to 4 want every slot, and compares
// their slot-seconds as the handlers measure them: first in a work queue that
// nobody schedules, then through Feira.
func fairness(ctx context.Context, w *world, report *Report) error {
	var plain *Fairness
	err := w.aside(ctx, func(ctx context.Context, inner *world) (err error) {
		plain, err = inner.plainShares(ctx, max(w.config.Window/fifoPart, time.Millisecond))
		return err
	})
	if err != nil {
		return err
	}
	board, err := w.fairShares(ctx, w.config.Window)
	if err != nil {
		return err
	}
	result := board.result()
	result.FIFOJain, result.FIFOMaxShareError = plain.Jain, plain.MaxShareError
	report.Fairness, report.traces.shares = result, board.lines()
	w.say("Jain %.4f, largest share error %.4f; in a plain queue %.4f and %.4f",
		result.Jain, result.MaxShareError, result.FIFOJain, result.FIFOMaxShareError)
	return nil
}

// weigh makes the tenants and returns the sum of their weights.
func (w *world) weigh() int {
	w.settle(flooders, fairSlots)
	total := 0
	for i := range w.tenants {
		w.tenants[i].Weight = i%fairWeights + 1
		total += w.tenants[i].Weight
	}
	return total
}

// settling is the time before the window, in which the flood gets going.
func settling(window time.Duration) time.Duration { return min(window, time.Second) }

// jobs is how many all slots can do by the end of the window, and more.
func jobs(window time.Duration) int {
	return int(float64(fairSlots) * (window + 2*settling(window)).Seconds() / fairJob.Seconds())
}

func (w *world) fairShares(ctx context.Context, window time.Duration) (*meterBoard, error) {
	// Half as much again as the largest share can use up, so that nobody's
	// queue runs dry inside the window.
	most := jobs(window)*fairWeights*3/(2*w.weigh()) + 1
	if _, err := w.fill(ctx, flooders*most, roundRobin(flooders)); err != nil {
		return nil, err
	}
	if _, _, err := w.lead(ctx, "fairness"); err != nil {
		return nil, err
	}
	b, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	board := newMeterBoard(w.tenants, window)
	if err := w.pool(ctx, b, fairSlots, job(newTally(flooders*most), board.work)); err != nil {
		return nil, err
	}
	return board, board.watch(ctx)
}

// plainShares is of tenants who put their jobs into the queue by turns.
func (w *world) plainShares(ctx context.Context, window time.Duration) (*Fairness, error) {
	w.weigh()
	queue, err := w.fifo(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := queue.fill(ctx, jobs(window), producers, roundRobin(flooders)); err != nil {
		return nil, err
	}
	board := newMeterBoard(w.tenants, window)
	err = w.consume(ctx, fairSlots, func(ctx context.Context, run events.Run) error { return board.work(ctx, run) })
	if err != nil {
		return nil, err
	}
	if err := board.watch(ctx); err != nil {
		return nil, err
	}
	return board.result(), nil
}

// result compares what each tenant had with what its weight gives it.
func (b *meterBoard) result() *Fairness {
	var all, weights int64
	for i, customer := range b.tenants {
		all += b.spent[i].Load()
		weights += int64(customer.Weight)
	}
	result := &Fairness{Runs: int(b.runs.Load())}
	if all == 0 {
		return result
	}
	shares := make([]float64, len(b.tenants))
	for i, customer := range b.tenants {
		ideal := float64(all) * float64(customer.Weight) / float64(weights)
		shares[i] = float64(b.spent[i].Load()) / ideal
		result.MaxShareError = max(result.MaxShareError, round(math.Abs(shares[i]-1)))
	}
	result.Jain = round(jain(shares))
	result.Utilisation = round(float64(all) / (float64(fairSlots) * float64(b.to-b.from)))
	return result
}
