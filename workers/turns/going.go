package turns

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/session"
)

const (
	// maxOrderReason is the longest reason of an order that an ending tells.
	maxOrderReason = 1024
	// orderedDetail stands in an ending whose order gives no reason.
	orderedDetail = "its end was ordered"
)

// going are the requests whose loop runs in this process now, so that an order
// can reach them.
type going struct {
	mu   sync.Mutex // of the map
	runs map[place][]*running
}

type running struct {
	request events.RequestID
	cancel  context.CancelCauseFunc
}

func newGoing() *going { return &going{runs: make(map[place][]*running)} }

// enter makes a request known; leave ends that, and its context.
func (g *going) enter(ctx context.Context, key place, request events.RequestID) (reachable context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	run := &running{request: request, cancel: cancel}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs[key] = append(g.runs[key], run)
	return ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		rest := slices.DeleteFunc(g.runs[key], func(other *running) bool { return other == run })
		if len(rest) == 0 {
			delete(g.runs, key)
		} else {
			g.runs[key] = rest
		}
		cancel(nil)
	}
}

// cancel ends the contexts of a request's runs, of all of the session when the
// request is empty, and counts them.
func (g *going) cancel(key place, request events.RequestID, cause error) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	reached := 0
	for _, run := range g.runs[key] {
		if request == "" || run.request == request {
			run.cancel(cause)
			reached++
		}
	}
	return reached
}

// run runs the loop where orders can reach it. The end of its context by an
// order is no end of the run's own: what the loop returns is written down.
func (w *Worker) run(ctx context.Context, scope agent.Scope, pages *journal) (*events.TurnCompleted, error) {
	ctx, leave := w.going.enter(ctx, place{tenant: scope.State.Tenant, id: scope.State.ID}, pages.request)
	defer leave()
	return w.cfg.Loop.Run(ctx, scope, pages)
}

// Obey carries out an order on what runs here, and counts the runs that it was
// for. It says nothing of runs elsewhere.
func (w *Worker) Obey(tenant events.TenantID, id session.ID, order events.Control) int {
	if order.Action != events.ActionCancel {
		return 0
	}
	return w.going.cancel(place{tenant: tenant, id: id}, order.Request, &agent.CancelledError{Detail: detailOf(order.Reason)})
}

// detailOf makes a reason given by somebody fit for an ending.
func detailOf(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) > maxOrderReason {
		reason = strings.ToValidUTF8(reason[:maxOrderReason], "") + "…"
	}
	if reason == "" {
		return orderedDetail
	}
	return reason
}
