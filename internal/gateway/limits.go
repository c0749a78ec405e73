package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gcra"
	"github.com/feira-dev/feira/internal/tenant"
)

// Headers that tell a client of its tenant's limit. Times are in whole seconds.
const (
	headerLimit     = "RateLimit-Limit"
	headerRemaining = "RateLimit-Remaining"
	headerReset     = "RateLimit-Reset"
	headerRetry     = "Retry-After"
)

// Rates bounds how often a tenant asks, over all gateways. Implementations are
// safe for concurrent use.
type Rates interface {
	// Allow takes one of the tenant's tokens, if there is one; its error wraps
	// [ErrUnavailable].
	Allow(ctx context.Context, id tenant.ID, limit gcra.Limit) (gcra.Decision, error)
}

// FullError is [ErrBacklogFull] with what is known of the queue.
type FullError struct {
	// Depth is how many requests wait, and Limit how many may.
	Depth, Limit int
	// Cause is the port's own error.
	Cause error
}

// Error implements error.
func (e *FullError) Error() string { return e.Cause.Error() }

// Unwrap makes it an [ErrBacklogFull] too.
func (e *FullError) Unwrap() []error { return []error{ErrBacklogFull, e.Cause} }

// charge counts the exchange against the limit of the tenant that it is for: for
// a tenant's own key before the body is looked at, for a platform's key as soon as
// it is known whom it speaks for. An exchange counts once, and for one tenant.
// What a platform asks of no tenant, or of a tenant's registration, is not
// counted: a flood is to be stopped by who may stop it.
func (g *Gateway) charge(ctx context.Context, customer tenant.Tenant) error {
	held := exchangeOf(ctx)
	if held.charged {
		return nil
	}
	held.charged = true
	limit := customer.APILimit()
	if customer.APIRate == 0 {
		limit.Rate, limit.Burst = g.cfg.APIRate, g.cfg.APIRate
	}
	decision, err := g.cfg.Rates.Allow(ctx, customer.ID, limit)
	if err != nil {
		return worded(fmt.Errorf("counting a request of %s: %w", customer.ID, err))
	}
	told := held.header
	told.Set(headerLimit, strconv.Itoa(decision.Limit))
	told.Set(headerRemaining, strconv.Itoa(decision.Remaining))
	told.Set(headerReset, strconv.Itoa(seconds(decision.Reset)))
	if decision.Allowed {
		return nil
	}
	wait := max(1, seconds(decision.RetryAfter))
	told.Set(headerRetry, strconv.Itoa(wait))
	made := problem(http.StatusTooManyRequests, CodeRateLimited, "the tenant may make %d requests a minute; try again in %d s", limit.Rate, wait)
	made.Throttle = &Throttle{Limit: decision.Limit, Remaining: &decision.Remaining, Reset: seconds(decision.Reset), RetryAfter: wait}
	return made
}

// chargeOwn counts an exchange of a tenant's own key. A tenant that is gone has no
// limit, and its key reaches nothing.
func (g *Gateway) chargeOwn(ctx context.Context, caller access.Caller) error {
	if caller.Platform() {
		return nil
	}
	return g.chargeFor(ctx, caller.Key().Tenant)
}

func (g *Gateway) chargeFor(ctx context.Context, id tenant.ID) error {
	if exchangeOf(ctx).charged {
		return nil
	}
	customer, found, err := g.cfg.Tenants.Lookup(ctx, id)
	if err != nil {
		return worded(fmt.Errorf("looking up tenant %s: %w", id, err))
	}
	if !found {
		return nil
	}
	return g.charge(ctx, customer)
}

// seconds rounds up: who comes back a moment too early is refused again.
func seconds(span time.Duration) int { return int((span + time.Second - 1) / time.Second) }

// Throttle is what a client is told of the limit that it has met, beside the rest
// of the error.
type Throttle struct {
	Limit      int  `json:"limit,omitempty" doc:"How many may be at once."`
	Remaining  *int `json:"remaining,omitempty" doc:"How many there may be now."`
	Reset      int  `json:"reset,omitempty" doc:"Seconds until all may be."`
	RetryAfter int  `json:"retry_after,omitempty" doc:"Seconds after which to try again."`
	Depth      *int `json:"depth,omitempty" doc:"How many requests wait in the tenant's queue."`
}
