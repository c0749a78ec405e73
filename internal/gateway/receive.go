package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// Post takes in webhooks.
type Post interface {
	// Publish returns nil only when the broker has stored the webhook.
	Publish(ctx context.Context, webhook events.Webhook) error
}

// Bounds of receipt.
const (
	// doorsKept is how many addresses a gateway remembers with their keys, and
	// doorAge for how long: an address that is revoked is open as long elsewhere.
	doorsKept = 4096
	doorAge   = 15 * time.Second
	// doorDoubt is how old the memory has to be to be doubted when a signature
	// does not fit: the keys may have been exchanged at another gateway.
	doorDoubt = time.Second
	// refusalTime is when whoever is refused hears of it, whatever the reason, so
	// that the time does not tell an address that is there from one that is not.
	refusalTime = 20 * time.Millisecond
	// A connection's webhooks are taken at this rate by one gateway.
	doorRate  = 200
	doorBurst = 2000
)

// door is an address as this gateway remembers it.
type door struct {
	tenant events.TenantID
	server string
	lock   webhook.Lock
	found  bool
	read   time.Time
}

// doors remembers addresses and how much has come in by each. It is safe for
// concurrent use.
type doors struct {
	known  *lru.Cache[string, door]
	limits *lru.Cache[string, *rate.Limiter]
}

func newDoors() (*doors, error) {
	known, err := lru.New[string, door](doorsKept)
	if err != nil {
		return nil, fmt.Errorf("making the memory of addresses: %w", err)
	}
	limits, err := lru.New[string, *rate.Limiter](doorsKept)
	if err != nil {
		return nil, fmt.Errorf("making the memory of rates: %w", err)
	}
	return &doors{known: known, limits: limits}, nil
}

// admit counts one more of a connection that is there.
func (d *doors) admit(connection string, now time.Time) bool {
	limiter, ok := d.limits.Get(connection)
	if !ok {
		limiter = rate.NewLimiter(doorRate, doorBurst)
		if earlier, raced, _ := d.limits.PeekOrAdd(connection, limiter); raced {
			limiter = earlier
		}
	}
	return limiter.AllowN(now, 1)
}

type receiveIn struct {
	Server     string `path:"server" maxLength:"64"`
	Connection string `path:"connection" maxLength:"1200" doc:"The connection's id; behind it, where the provider signs nothing, a dot and the address's secret."`

	header func(string) string
}

// Resolve implements [huma.Resolver]: which headers matter is the scheme's.
func (in *receiveIn) Resolve(ctx huma.Context) []error {
	in.header = ctx.Header
	return nil
}

type receiveOut struct {
	Body struct {
		Received bool `json:"received"`
	}
}

func (g *Gateway) receiveRoutes() {
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/webhooks/{server}/{connection}", id: "receive-webhook", group: "webhooks",
		summary: "Take in a provider's webhook: 200 when it is stored, 503 when it is to be sent again",
		faults:  []int{http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}, g.receive)
}

// receive verifies the raw bytes and hands them to the broker. Nothing is parsed
// here, and nothing is told of why a delivery is refused.
func (g *Gateway) receive(ctx context.Context, _ access.Caller, in *receiveIn) (*receiveOut, error) {
	began := time.Now()
	id, secret, _ := strings.Cut(in.Connection, ".")
	delivery := webhook.Delivery{Header: in.header, Path: secret, Body: exchangeOf(ctx).body}
	if len(delivery.Body) > events.MaxWebhookBytes {
		return nil, problem(http.StatusRequestEntityTooLarge, CodeTooLarge, "the body has more than %d bytes", events.MaxWebhookBytes)
	}
	through, proof, err := g.prove(ctx, in.Server, id, delivery)
	switch {
	case errors.Is(err, ErrUnavailable):
		return nil, worded(err)
	case err != nil:
		g.cfg.Logger.InfoContext(ctx, "a webhook is refused", "server", in.Server, "known", through.found, "tenant", string(through.tenant), "error", err)
		return nil, turnedAway(ctx, began)
	}
	if !g.doors.admit(id, g.cfg.Now()) {
		made := problem(http.StatusTooManyRequests, CodeRateLimited, "more than %d webhooks a second of one connection", doorRate)
		made.headers = http.Header{"Retry-After": {"1"}}
		return nil, made
	}
	err = g.cfg.Post.Publish(ctx, events.Webhook{
		Tenant: through.tenant, Server: through.server, Connection: id, Event: proof.ID, Received: g.cfg.Now(), Body: delivery.Body,
		Unsigned: through.lock.Scheme == webhook.SchemePath,
	})
	if err != nil {
		g.cfg.Logger.WarnContext(ctx, "a webhook could not be stored: it is to be sent again", "tenant", string(through.tenant), "server", through.server, "error", err)
		return nil, unsure(fmt.Errorf("%w: %w", ErrUnavailable, err), remedyWebhook)
	}
	out := &receiveOut{}
	out.Body.Received = true
	return out, nil
}

// prove finds the address and holds the delivery against it. What is remembered
// is doubted once where it does not fit.
func (g *Gateway) prove(ctx context.Context, server, id string, delivery webhook.Delivery) (door, webhook.Proof, error) {
	through, err := g.door(ctx, server, id, doorAge)
	if err != nil {
		return door{}, webhook.Proof{}, err
	}
	proof, err := webhook.Verify(through.lock, delivery, g.cfg.Now())
	if err == nil || g.cfg.Now().Sub(through.read) < doorDoubt {
		return through, proof, err
	}
	if through, err = g.door(ctx, server, id, doorDoubt); err != nil {
		return door{}, webhook.Proof{}, err
	}
	proof, err = webhook.Verify(through.lock, delivery, g.cfg.Now())
	return through, proof, err
}

// door is the address of a connection. One that is not there has a lock all the
// same, with a key that nobody has, and a scheme that costs the most to try.
func (g *Gateway) door(ctx context.Context, server, id string, age time.Duration) (door, error) {
	now := g.cfg.Now()
	if known, ok := g.doors.known.Get(id); ok && known.server == server && now.Sub(known.read) < age {
		return known, nil
	}
	found := door{server: server, read: now, lock: webhook.Lock{Scheme: webhook.SchemeHMAC, Keys: []webhook.Key{{Text: string(nobodysKey[:])}}}}
	owner, ok, err := g.owner(ctx, server, id)
	if err != nil || !ok {
		return found, err
	}
	address, ok, err := g.cfg.Addresses.Address(ctx, owner, server)
	if err != nil {
		return door{}, err
	}
	if ok {
		found.tenant, found.lock, found.found = owner.ID, address.Lock, true
		g.doors.known.Add(id, found)
	}
	return found, nil
}

// nobodysKey is as long as a key.
var nobodysKey [64]byte

// owner is the tenant whose connection with a server has the id.
func (g *Gateway) owner(ctx context.Context, server, id string) (tenant.Tenant, bool, error) {
	tag, ok := strings.CutPrefix(id, connectionPrefix)
	if !ok || len(tag) < tagLength {
		return tenant.Tenant{}, false, nil
	}
	tagged, err := g.cfg.Tenants.Tagged(ctx, tag[:tagLength])
	if err != nil {
		return tenant.Tenant{}, false, err
	}
	for _, one := range tagged {
		customer, found, err := g.cfg.Tenants.Lookup(ctx, one)
		if err != nil {
			return tenant.Tenant{}, false, err
		}
		if found && connectionID(one, server, customer.Environment) == id {
			return customer, true, nil
		}
	}
	return tenant.Tenant{}, false, nil
}

// turnedAway is the one answer to whatever is refused, at the one time.
func turnedAway(ctx context.Context, began time.Time) error {
	timer := time.NewTimer(refusalTime - time.Since(began))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return problem(http.StatusNotFound, CodeNotFound, "there is no such address, or this was not sent by whom it is for")
}
