package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/tenant"
)

// Defaults of [Config].
const (
	DefaultMaxBody     = 256 << 10
	DefaultIdleTimeout = 30 * time.Minute
	DefaultWait        = 5 * time.Minute
	DefaultHeartbeat   = 15 * time.Second
	DefaultClientTime  = 10 * time.Second
)

// Config is what a gateway is made of.
type Config struct {
	Keys      Keys
	Keyring   Keyring
	Tenants   Tenants
	Registrar Registrar
	Log       Log
	Roll      Roll
	Requests  Requests
	Canceller Canceller
	// Newcomers takes in the tenants of sessions that nobody has registered; nil
	// for nobody.
	Newcomers Newcomers
	Waits     *waits.Hub
	Catalogue agent.Catalogue
	Directory Directory
	Safe      Safe
	Triggers  Triggers
	Books     Books
	Replies   Replies
	Rates     Rates
	Addresses Addresses
	Post      Post
	// Connecting is how people connect their accounts.
	Connecting Connecting
	Bills      Bills
	Purses     Purses
	// Ready is nil when what is behind the gateway can be reached, and it knows
	// the tenants and the keys.
	Ready func(context.Context) error
	// Metrics tells the process's metrics; nil for none.
	Metrics http.Handler
	Logger  *slog.Logger
	// TestMode lets sessions of test tenants be opened with mocks.
	TestMode bool
	// Version is told in the OpenAPI document. Defaults to the protocol's.
	Version string
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
	// APIRate is how many requests a minute a tenant may make that has no rate of
	// its own. Defaults to 300.
	APIRate int
	// MaxBody is the largest body that is taken, in bytes. Defaults to 256 KiB.
	MaxBody int64
	// IdleTimeout closes a session that nothing happens in. Defaults to 30 min.
	IdleTimeout time.Duration
	// Wait is how long an answer is waited for. Defaults to 5 min.
	Wait time.Duration
	// Heartbeat is how often a stream says that it lives. Defaults to 15 s.
	Heartbeat time.Duration
	// Linger is how long a status stream stays open behind its end. Defaults to 5 s.
	Linger time.Duration
	// ClientTime is how long a client may take to send its body, and to take in a
	// piece of an answer; then it is cut. Defaults to 10 s.
	ClientTime time.Duration
}

func (c Config) withDefaults() Config {
	c.APIRate = cmp.Or(c.APIRate, tenant.DefaultAPIRate)
	c.MaxBody = cmp.Or(c.MaxBody, DefaultMaxBody)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	c.Wait = cmp.Or(c.Wait, DefaultWait)
	c.Heartbeat = cmp.Or(c.Heartbeat, DefaultHeartbeat)
	c.Linger = cmp.Or(c.Linger, DefaultLinger)
	c.ClientTime = cmp.Or(c.ClientTime, DefaultClientTime)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	faults := []error{c.Connecting.validate()}
	for name, missing := range map[string]bool{
		"Addresses": c.Addresses == nil,
		"Books":     c.Books == nil,
		"Canceller": c.Canceller == nil,
		"Catalogue": c.Catalogue == nil,
		"Directory": c.Directory == nil,
		"Keyring":   c.Keyring == nil,
		"Keys":      c.Keys == nil,
		"Log":       c.Log == nil,
		"Post":      c.Post == nil,
		"Rates":     c.Rates == nil,
		"Ready":     c.Ready == nil,
		"Registrar": c.Registrar == nil,
		"Replies":   c.Replies == nil,
		"Requests":  c.Requests == nil,
		"Roll":      c.Roll == nil,
		"Safe":      c.Safe == nil,
		"Tenants":   c.Tenants == nil,
		"Triggers":  c.Triggers == nil,
		"Waits":     c.Waits == nil,
		"Bills":     c.Bills == nil, "Purses": c.Purses == nil,
	} {
		if missing {
			faults = append(faults, errors.New("gateway: "+name+" is missing"))
		}
	}
	if c.APIRate < 0 || c.APIRate > tenant.MaxRate {
		faults = append(faults, fmt.Errorf("gateway: APIRate is %d, want 1 to %d", c.APIRate, tenant.MaxRate))
	}
	if c.Linger < 0 || c.MaxBody < 0 || c.IdleTimeout < 0 || c.Wait < 0 || c.Heartbeat < 0 || c.ClientTime < 0 {
		faults = append(faults, errors.New("gateway: Linger, MaxBody, IdleTimeout, Wait, Heartbeat or ClientTime is negative"))
	}
	return errors.Join(faults...)
}

// Gateway answers HTTP. It is safe for concurrent use.
type Gateway struct {
	cfg      Config
	api      huma.API
	handler  http.Handler
	sessions *views
	doors    *doors
	returns  redirects
}

// New makes a gateway with all its endpoints.
func New(config Config) (*Gateway, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	speakProblems()
	routes := http.NewServeMux()
	made := &Gateway{cfg: config, api: humago.New(routes, document(config.Version))}
	var err error
	if made.sessions, err = newViews(config); err != nil {
		return nil, err
	}
	if made.doors, err = newDoors(); err != nil {
		return nil, err
	}
	if made.returns, err = parseRedirects(config.Connecting.Redirects); err != nil {
		return nil, err
	}
	made.routes()
	if err := made.documentRoutes(routes); err != nil {
		return nil, err
	}
	made.handler = made.plumb(routes)
	return made, nil
}

// ServeHTTP implements [http.Handler].
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// OpenAPI describes every endpoint.
func (g *Gateway) OpenAPI() *huma.OpenAPI { return g.api.OpenAPI() }

// routes are all endpoints.
func (g *Gateway) routes() {
	g.sessionRoutes()
	g.listRoutes()
	g.executeRoutes()
	g.proxyRoutes()
	g.mcpRoutes()
	g.sendRoutes()
	g.cancelRoutes()
	g.logRoutes()
	g.connectionRoutes()
	g.addressRoutes()
	g.receiveRoutes()
	g.catalogueRoutes()
	g.usageRoutes()
	g.invoiceRoutes()
	g.budgetRoutes()
	g.keyRoutes()
	g.triggerRoutes()
	g.tenantRoutes()
	g.selfRoutes()
	g.readyRoutes()
	g.standingRoutes()
	g.connectRoutes()
}
