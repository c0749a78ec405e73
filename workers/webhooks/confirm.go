package webhooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// How often a tenant's providers are asked where the tenant has no rate of its
// own, and how many tenants' rates are remembered.
const (
	askRate   = 5
	askBurst  = 10
	pacesKept = 4096
)

// paces hold what is asked for a tenant to the tenant's rate, so that a flood of
// webhooks is not passed on to its provider. They are safe for concurrent use.
type paces struct {
	known *lru.Cache[events.TenantID, *rate.Limiter]
}

func newPaces() (*paces, error) {
	known, err := lru.New[events.TenantID, *rate.Limiter](pacesKept)
	if err != nil {
		return nil, fmt.Errorf("making the memory of rates: %w", err)
	}
	return &paces{known}, nil
}

// wait is how long a tenant has to wait before it may ask; nothing when it asks.
func (p *paces) wait(customer tenant.Tenant, now time.Time) time.Duration {
	every, burst := rate.Limit(askRate), askBurst
	if customer.Rate > 0 && customer.RatePeriod.Duration() > 0 {
		every, burst = rate.Limit(float64(customer.Rate)/customer.RatePeriod.Duration().Seconds()), max(customer.Burst, 1)
	}
	limiter, ok := p.known.Get(customer.ID)
	if !ok || limiter.Limit() != every || limiter.Burst() != burst {
		limiter = rate.NewLimiter(every, burst)
		p.known.Add(customer.ID, limiter)
	}
	held := limiter.ReserveN(now, 1)
	wait := held.DelayFrom(now)
	if wait > 0 {
		held.CancelAt(now)
	}
	return wait
}

// confirmed reports whether an event counts: it was signed, or the provider says
// the same when it is asked. An error means that it is to be asked again later;
// one that has waited for the whole of the patience is not confirmed.
func (w *Worker) confirmed(ctx context.Context, a arrival, customer tenant.Tenant) (bool, error) {
	if !a.Unsigned && webhook.SchemeOf(a.Server) != webhook.SchemePath {
		return true, nil
	}
	question, ok := webhook.QuestionOf(a.Server, a.Body)
	if !ok {
		return false, nil
	}
	patient := w.cfg.Now().Sub(a.Received) < w.cfg.Patience
	if wait := w.paces.wait(customer, w.cfg.Now()); wait > 0 && patient {
		return false, outcome.RetryAfter(errPaced, wait)
	} else if wait > 0 {
		return false, nil
	}
	answer, err := w.cfg.Asker.Ask(ctx, customer, question)
	switch {
	case err == nil:
		return question.Confirms(answer), nil
	case errors.Is(err, ErrNoAnswer) || !patient:
		w.cfg.Logger.WarnContext(ctx, "a webhook that nobody signed cannot be confirmed", "tenant", string(a.Tenant), "connection", a.Connection, "error", err)
		return false, nil
	default:
		return false, outcome.RetryAfter(fmt.Errorf("asking the provider: %w", err), askPause)
	}
}

// errPaced occurs when a tenant's provider was asked as often as may be.
var errPaced = errors.New("the provider is asked at the tenant's rate")

// askPause is how long an event waits for a provider that did not answer.
const askPause = 30 * time.Second

// nobody is asked where there is no [Asker].
type nobody struct{}

// Ask implements [Asker].
func (nobody) Ask(context.Context, tenant.Tenant, webhook.Question) (string, error) {
	return "", ErrNoAnswer
}
