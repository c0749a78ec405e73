package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/feira-dev/feira/internal/access"
)

const (
	// readyTime bounds the question, and readyRest is how long an answer holds:
	// who has no key shall not make the broker work.
	readyTime = 2 * time.Second
	readyRest = time.Second
)

// readiness remembers whether the gateway can serve. It is safe for concurrent use.
type readiness struct {
	ask func(context.Context) error
	now func() time.Time

	mu  sync.Mutex
	at  time.Time
	err error
}

func (r *readiness) check(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); r.at.IsZero() || now.Sub(r.at) >= readyRest || now.Before(r.at) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime) // the answer is not this client's alone
		defer cancel()
		r.err, r.at = r.ask(ctx), now
	}
	return r.err
}

func (g *Gateway) readyRoutes() {
	state := &readiness{ask: g.cfg.Ready, now: g.cfg.Now}
	serve(g, endpoint{
		method: http.MethodGet, path: "/ready", id: "ready", group: "operations", summary: "Say whether requests can be served now",
		faults: []int{http.StatusServiceUnavailable},
	}, func(ctx context.Context, _ access.Caller, _ *struct{}) (*healthOut, error) {
		if err := state.check(ctx); err != nil {
			g.cfg.Logger.WarnContext(ctx, "gateway is not ready", "error", err)
			return nil, worded(ErrUnavailable)
		}
		out := &healthOut{}
		out.Body.Status = "ready"
		return out, nil
	})
	if g.cfg.Metrics == nil {
		return
	}
	// They tell of all tenants, so the scope is one that no tenant's key has.
	serve(g, endpoint{
		method: http.MethodGet, path: "/metrics", id: "metrics", group: "operations", summary: "Tell the process's metrics to Prometheus",
		scope: access.ScopeTenantsWrite, media: []string{"text/plain"},
	}, func(context.Context, access.Caller, *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			g.cfg.Metrics.ServeHTTP(w, r)
		}}, nil
	})
}
