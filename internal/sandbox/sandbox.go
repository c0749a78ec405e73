package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/sandbox/asaas"
	"github.com/feira-dev/feira/internal/sandbox/correios"
	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/sandbox/melhorenvio"
	"github.com/feira-dev/feira/internal/sandbox/model"
	"github.com/feira-dev/feira/internal/sandbox/nuvemfiscal"
	"github.com/feira-dev/feira/internal/sandbox/outbox"
	"github.com/feira-dev/feira/internal/sandbox/stripe"
	"github.com/feira-dev/feira/internal/sandbox/zapi"
)

// ModelServer is the model's name as [fault.Fault.Server].
const ModelServer = "model"

// Sandbox is the offline world. It is a [lifecycle.Part]: its address is known
// from [New] on, and answered at from Start to Stop.
type Sandbox struct {
	*lifecycle.Runner

	config   Config
	listener net.Listener
	journal  *journal.Journal
	outbox   *outbox.Office
	faults   fault.Set
	model    *model.Server
	stalls   map[string]stall

	mu     sync.Mutex // guards opened
	opened map[string]map[string]map[string]string
}

// stall is one provider's place in the market.
type stall interface {
	http.Handler
	Open(tenant string, fields map[string]string) error
	Refuse(w http.ResponseWriter, r *http.Request, status int)
	Subscribe(tenant string, hook fake.Hook) error
	Acts() http.Handler
}

var _ lifecycle.Part = (*Sandbox)(nil)

// New takes the address, and opens the accounts. A sandbox that is not to be
// started after all gives its address back by Stop.
func New(config Config) (*Sandbox, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	book := journal.New()
	office := outbox.New(outbox.Config{Pause: config.WebhookPause, Now: config.Now, Logger: config.Logger})
	world := fake.World{Seed: config.Seed, Now: config.Now, Journal: book, Outbox: office}
	s := &Sandbox{
		config: config, journal: book, outbox: office, opened: map[string]map[string]map[string]string{},
		stalls: map[string]stall{
			asaas.Server: asaas.New(world), correios.Server: correios.New(world), melhorenvio.Server: melhorenvio.New(world),
			nuvemfiscal.Server: nuvemfiscal.New(world), stripe.Server: stripe.New(world), zapi.Server: zapi.New(world),
		},
	}
	s.model = model.New(model.Config{
		Key: config.ModelKey, Latency: config.ModelLatency, ChunkDelay: config.ModelChunkDelay, Context: config.ModelContext, Now: config.Now,
	})
	if err := s.openAll(); err != nil {
		return nil, err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(context.Background(), "tcp", config.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", config.Addr, err)
	}
	s.listener = listener
	s.Runner = lifecycle.NewRunner("sandbox", s.run)
	return s, nil
}

func (s *Sandbox) openAll() error {
	var faults []error
	for server, accounts := range s.config.Accounts {
		for _, account := range accounts {
			_, err := s.Open(server, account)
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Open adds an account, and returns the credential that its calls carry. A
// tenant has one account at a server: one that is there already is left as it
// is, and its credential returned.
func (s *Sandbox) Open(server string, account Account) (map[string]string, error) {
	place, ok := s.stalls[server]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownServer, server)
	}
	if account.Credential == nil {
		made, err := Credential(s.config.Seed, server, account.Tenant)
		if err != nil {
			return nil, err
		}
		account.Credential = made
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if opened, ok := s.opened[server][account.Tenant]; ok {
		return opened, nil
	}
	if err := place.Open(account.Tenant, account.Credential); err != nil {
		return nil, err
	}
	if s.opened[server] == nil {
		s.opened[server] = map[string]map[string]string{}
	}
	s.opened[server][account.Tenant] = account.Credential
	if account.Webhook == nil {
		return account.Credential, nil
	}
	return account.Credential, place.Subscribe(account.Tenant, fake.Hook(*account.Webhook))
}

// Tells reports whether a server sends webhooks.
func Tells(server string) bool {
	return slices.Contains([]string{asaas.Server, melhorenvio.Server, stripe.Server, zapi.Server}, server)
}

// Subscribe sets where the webhooks of a tenant's account go, beside where they
// went before; at Z-API, in place of that. Correios and Nuvem Fiscal send none.
func (s *Sandbox) Subscribe(server, tenant string, to Webhook) error {
	place, ok := s.stalls[server]
	if !ok {
		return fmt.Errorf("%w: %q", ErrUnknownServer, server)
	}
	return place.Subscribe(tenant, fake.Hook(to))
}

// Repeat sends the last webhook of a tenant's account once more, as providers do
// that did not hear that it was taken, and reports whether there was one.
func (s *Sandbox) Repeat(server, tenant string) bool { return s.outbox.Again(server, tenant) }

// Webhooks tells how each address does that is told of something.
func (s *Sandbox) Webhooks() []outbox.Standing { return s.outbox.Standings() }

// BaseURLs returns the base URL of each provider, without a secret.
func (s *Sandbox) BaseURLs() map[string]string {
	urls := map[string]string{}
	for server := range s.stalls {
		urls[server] = s.origin() + "/" + server + prefix(server)
	}
	return urls
}

// prefix is what a provider's base URL has after its host.
func prefix(server string) string {
	return map[string]string{
		asaas.Server: asaas.Prefix, melhorenvio.Server: melhorenvio.Prefix, stripe.Server: stripe.Prefix,
	}[server]
}

// URL is where all of it is: people act at a provider below /_sandbox.
func (s *Sandbox) URL() string { return s.origin() }

// ModelURL is the base URL of the model's API.
func (s *Sandbox) ModelURL() string { return s.origin() + "/" + ModelServer + model.Prefix }

// ActURL is where people act at a provider who have no account there: what can
// be done is in the words of each fake's package.
func (s *Sandbox) ActURL(server string) string { return s.origin() + actPath + server }

// JournalURL is where the effects are listed for people and scripts.
func (s *Sandbox) JournalURL() string { return s.origin() + journalPath }

func (s *Sandbox) origin() string { return "http://" + s.listener.Addr().String() }

// Journal is the book of effects.
func (s *Sandbox) Journal() *journal.Journal { return s.journal }

// Model is the offline model, for its counts.
func (s *Sandbox) Model() *model.Server { return s.model }

// Fault makes a server fail, on the next requests that the fault picks.
func (s *Sandbox) Fault(f fault.Fault) error {
	if _, ok := s.stalls[f.Server]; !ok && f.Server != ModelServer {
		return fmt.Errorf("%w: %q", ErrUnknownServer, f.Server)
	}
	return s.faults.Add(f)
}

// ClearFaults drops the faults to come of a server, or all when server is empty.
func (s *Sandbox) ClearFaults(server string) { s.faults.Clear(server) }
