package webhooks

import (
	"context"
	"slices"
	"sync"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
)

// Delivery is one message with how often it was handed out, from 1.
type Delivery struct {
	events.Message

	Count int
}

// lane is what goes one after the other: the events of one connection.
type lane struct {
	tenant     events.TenantID
	connection string
}

type parcel struct {
	arrival

	at    int // in the batch
	count int
}

// Handle works on deliveries and says of each by an error what is to become of
// it. Connections are worked on side by side, the events of each in their order.
func (w *Worker) Handle(ctx context.Context, batch []Delivery) []error {
	verdicts := make([]error, len(batch))
	lanes := map[lane][]parcel{}
	for i, delivery := range batch {
		a, err := read(delivery.Message)
		if err != nil {
			verdicts[i] = w.unreadable(ctx, delivery, err)
			continue
		}
		key := lane{a.Tenant, a.Connection}
		lanes[key] = append(lanes[key], parcel{arrival: a, at: i, count: delivery.Count})
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, w.cfg.Lanes)
	for _, parcels := range lanes {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			w.walk(ctx, parcels, batch, verdicts)
		})
	}
	wait.Wait()
	return verdicts
}

// walk takes the events of a lane. Behind one of an object that has to wait, the
// others of that object wait too.
func (w *Worker) walk(ctx context.Context, parcels []parcel, batch []Delivery, verdicts []error) {
	inOrder(parcels)
	waiting := map[string]bool{}
	for _, p := range parcels {
		object := p.event.Object
		if object != "" && waiting[object] {
			verdicts[p.at] = outcome.RetryAfter(errEarly, earlyPause)
			continue
		}
		verdicts[p.at] = w.take(ctx, p.arrival, batch[p.at].Message, p.count)
		if verdicts[p.at] != nil {
			waiting[object] = true
		}
	}
}

// inOrder sorts the events of each object by the provider's time, in the places
// that they have among the others.
func inOrder(parcels []parcel) {
	places := map[string][]int{}
	for i, p := range parcels {
		if p.event.Object != "" && !p.occurred().IsZero() {
			places[p.event.Object] = append(places[p.event.Object], i)
		}
	}
	for _, at := range places {
		sorted := make([]parcel, len(at))
		for n, i := range at {
			sorted[n] = parcels[i]
		}
		slices.SortStableFunc(sorted, func(a, b parcel) int { return a.occurred().Compare(b.occurred()) })
		for n, i := range at {
			parcels[i] = sorted[n]
		}
	}
}

func (w *Worker) unreadable(ctx context.Context, delivery Delivery, cause error) error {
	id, err := events.SubjectTenant(delivery.Subject)
	if err != nil {
		id = events.IllegalTenant
	}
	return w.bury(ctx, id, delivery.Message, grave{ReasonUnreadable, cause, delivery.Count})
}
