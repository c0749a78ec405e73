package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/turns"
)

// cancelsAtOnce is how many requests are being cancelled at one time.
const cancelsAtOnce = 64

// ErrNothingMeant occurs when an order to cancel names neither a session nor a
// request, nor says that it means the whole tenant, or says both.
var ErrNothingMeant = errors.New("name a session or a request to cancel, or say that all of the tenant's are meant")

// ErrNoRequest occurs when the request to cancel neither waits nor runs.
var ErrNoRequest = errors.New("the request neither waits nor runs")

// errNotCancelled occurs when requests have not ended.
var errNotCancelled = errors.New("not all requests have ended")

// CancelParams says which requests of a tenant are meant, those that wait and
// those that run.
type CancelParams struct {
	Tenant tenant.ID
	// Session and Request narrow it down.
	Session events.SessionID
	Request events.RequestID
	// All means every request of the tenant, and is to be said.
	All bool
	// Reason is a sentence for people, for the ending.
	Reason string
}

func (p CancelParams) validate() error {
	if p.All == (p.Session != "" || p.Request != "") {
		return ErrNothingMeant
	}
	return nil
}

func (p CancelParams) means(head events.RequestHead) bool {
	return (p.Session == "" || head.Session == p.Session) && (p.Request == "" || head.ID == p.Request)
}

// Cancelled is what became of a request that was to be cancelled.
type Cancelled struct {
	Session  events.SessionID `json:"session"`
	Request  events.RequestID `json:"request"`
	Sequence uint64           `json:"sequence"`
	// Status is how it has ended, which may be another way that came first;
	// empty when it is gone without a word, or has not ended.
	Status events.TurnStatus `json:"status,omitempty"`
	// Error says why it has not ended.
	Error string `json:"error,omitempty"`
}

// Cancel ends requests as cancelled and tells what became of each, in stream
// order. A request that runs is ended by its worker, for which Cancel waits until
// ctx ends. When some have not ended there is an error beside the list.
func (o *Operator) Cancel(ctx context.Context, params CancelParams) ([]Cancelled, error) {
	if err := params.validate(); err != nil {
		return nil, err
	}
	if _, err := o.Tenant(ctx, params.Tenant); err != nil {
		return nil, err
	}
	broker, err := o.kit.broker(ctx)
	if err != nil {
		return nil, err
	}
	heads, err := broker.Requests().List(ctx, params.Tenant)
	if err != nil {
		return nil, err
	}
	heads = slices.DeleteFunc(heads, func(head events.RequestHead) bool { return !params.means(head) })
	if len(heads) == 0 && params.Request != "" {
		return nil, fmt.Errorf("cancelling request %s of %s: %w", params.Request, params.Tenant, ErrNoRequest)
	}
	canceller, err := o.kit.canceller(ctx)
	if err != nil {
		return nil, err
	}
	return cancelAll(ctx, canceller, heads, params.Reason)
}

// cancelAll ends what waits behind a turn of its session before that: were the
// turn that runs ended first, the next one would start.
func cancelAll(ctx context.Context, canceller *turns.Canceller, heads []events.RequestHead, reason string) ([]Cancelled, error) {
	var mu sync.Mutex // of the two below
	var list []Cancelled
	var first error
	for _, wave := range waves(heads) {
		var group errgroup.Group
		group.SetLimit(cancelsAtOnce)
		for _, head := range wave {
			group.Go(func() error {
				status, err := canceller.Cancel(ctx, head, reason)
				entry := Cancelled{Session: head.Session, Request: head.ID, Sequence: head.Sequence, Status: status}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					entry.Error = err.Error()
					if first == nil {
						first = err
					}
				}
				list = append(list, entry)
				return nil
			})
		}
		_ = group.Wait() // each failure is in the list
	}
	slices.SortFunc(list, func(a, b Cancelled) int { return cmp.Compare(a.Sequence, b.Sequence) })
	if first != nil {
		return list, fmt.Errorf("%w: %w", errNotCancelled, first)
	}
	return list, nil
}

// waves are the turns that others of their session come before, and then the rest.
func waves(heads []events.RequestHead) [2][]events.RequestHead {
	var parted [2][]events.RequestHead
	led := map[events.SessionID]bool{}
	for _, head := range heads { // in stream order
		if head.Kind == events.KindCall || !led[head.Session] {
			parted[1] = append(parted[1], head)
		} else {
			parted[0] = append(parted[0], head)
		}
		led[head.Session] = led[head.Session] || head.Kind != events.KindCall
	}
	return parted
}

// PauseTenant holds a tenant's requests back, or lets them go again, and changes
// nothing else of it.
func (o *Operator) PauseTenant(ctx context.Context, id tenant.ID, paused bool) error {
	registry, err := o.kit.tenants(ctx)
	if err != nil {
		return err
	}
	_, found, err := registry.Amend(ctx, id, func(customer *tenant.Tenant) error {
		customer.Paused = paused
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", ErrUnknownTenant, id)
	}
	return err
}
