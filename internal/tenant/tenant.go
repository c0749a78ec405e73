// Package tenant is one customer of the SaaS: what it may reach, how much of
// it, and how its agent behaves.
//
// It owns the tenant's configuration and its rules. It promises that a value
// which passes Validate is fit for every role. It does not store, watch or
// default anything from outside; secrets are never part of it.
package tenant

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/feira-dev/feira/events"
)

// ID names a tenant.
type ID = events.TenantID

// Defaults and bounds.
const (
	DefaultConcurrency = 4
	DefaultWeight      = 1
	MaxConcurrency     = 100_000
	MaxWeight          = 1_000
	MaxServers         = 20
	MaxInstructions    = 32 << 10
	MaxRate            = 1_000_000
	MaxBurst           = 1_000_000
	MaxBacklog         = events.DefaultBacklog
)

// ErrInvalid occurs when a tenant breaks a rule; the text names the field.
var ErrInvalid = errors.New("invalid tenant")

// Tenant is one customer's configuration.
type Tenant struct {
	ID ID `json:"id" yaml:"id"`
	// Name is for people. Defaults to the id.
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Servers are the providers that sessions of this tenant reach.
	Servers []string `json:"servers" yaml:"servers"`
	// MCP are servers of the Model Context Protocol that the tenant has beside the
	// providers that Feira knows; each is one of Servers.
	MCP []Attachment `json:"mcp,omitempty" yaml:"mcp,omitempty"`
	// Environment decides between a provider's live and test hosts. Defaults to test.
	Environment events.Environment `json:"environment" yaml:"environment"`
	// Concurrency is how many runs may be going at one time. Defaults to 4.
	Concurrency int `json:"concurrency" yaml:"concurrency"`
	// Weight is the tenant's share of slot-seconds beside other busy tenants. Defaults to 1.
	Weight int `json:"weight" yaml:"weight"`
	// Rate is how many runs may start in a RatePeriod in the long run; requests
	// above it wait. 0 sets no limit.
	Rate int `json:"rate,omitempty" yaml:"rate,omitempty"`
	// RatePeriod is what Rate counts in. Defaults to a second, where there is a rate.
	RatePeriod Period `json:"rate_period,omitempty" yaml:"rate_period,omitempty"`
	// Burst is how many runs may start at once after a quiet time. Defaults to Rate.
	Burst int `json:"burst,omitempty" yaml:"burst,omitempty"`
	// Backlog is how many requests may be queued, those that run not counted;
	// further ones are refused. 0 leaves it to the broker's own limit.
	Backlog int `json:"backlog,omitempty" yaml:"backlog,omitempty"`
	// APIRate is how many API requests may be made in a minute. 0 leaves it to the
	// operator (FEIRA_GATEWAY_API_RATE), who means 300.
	APIRate int `json:"api_rate,omitempty" yaml:"api_rate,omitempty"`
	// Paused tenants start nothing; their requests wait.
	Paused bool `json:"paused,omitempty" yaml:"paused,omitempty"`
	// Instructions tell the agent who it works for and how.
	Instructions string `json:"instructions,omitempty" yaml:"instructions,omitempty"`
	// Limits bound each turn. Zero fields take the defaults of internal/agent.
	Limits Limits `json:"limits,omitzero" yaml:"limits,omitempty"`
	// Routes say which server does a thing that several can do.
	Routes Routes `json:"routes,omitzero" yaml:"routes,omitempty"`
	// Webhooks say what providers' events cause, the first rule that holds.
	Webhooks []WebhookRule `json:"webhooks,omitempty" yaml:"webhooks,omitempty"`
	// Budgets bound what the tenant may use.
	Budgets []Budget `json:"budgets,omitempty" yaml:"budgets,omitempty"`
	// Metadata is stamped on every usage row.
	Metadata map[string]string `json:"metadata,omitempty" yaml:"metadata,omitempty"`
}

// Limits bound one turn.
type Limits struct {
	Iterations      int   `json:"iterations,omitempty" yaml:"iterations,omitempty"`
	ToolCalls       int   `json:"tool_calls,omitempty" yaml:"tool_calls,omitempty"`
	Tokens          int64 `json:"tokens,omitempty" yaml:"tokens,omitempty"`
	WallTimeSeconds int   `json:"wall_time_seconds,omitempty" yaml:"wall_time_seconds,omitempty"`
}

// WithDefaults fills what was left out.
func (t Tenant) WithDefaults() Tenant {
	if t.Name == "" {
		t.Name = string(t.ID)
	}
	if t.Environment == "" {
		t.Environment = events.EnvironmentTest
	}
	if t.Concurrency == 0 {
		t.Concurrency = DefaultConcurrency
	}
	if t.Weight == 0 {
		t.Weight = DefaultWeight
	}
	if t.Rate > 0 {
		if t.RatePeriod == "" {
			t.RatePeriod = PeriodSecond
		}
		if t.Burst == 0 {
			t.Burst = t.Rate
		}
	}
	t.Servers = slices.Clone(t.Servers)
	t.Budgets = slices.Clone(t.Budgets)
	t.Webhooks = slices.Clone(t.Webhooks)
	t.MCP = cloneAttachments(t.MCP)
	t.Metadata = maps.Clone(t.Metadata)
	return t
}

// Validate joins every fault, each naming its field.
func (t Tenant) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
	if _, err := events.ParseTenantID(string(t.ID)); err != nil {
		fault("id: %w", err)
	}
	if t.Environment != events.EnvironmentLive && t.Environment != events.EnvironmentTest {
		fault("environment is %q, want live or test", t.Environment)
	}
	if t.Concurrency < 1 || t.Concurrency > MaxConcurrency {
		fault("concurrency is %d, want 1 to %d", t.Concurrency, MaxConcurrency)
	}
	if t.Weight < 1 || t.Weight > MaxWeight {
		fault("weight is %d, want 1 to %d", t.Weight, MaxWeight)
	}
	if t.Backlog < 0 || t.Backlog > MaxBacklog {
		fault("backlog is %d, want 0 to %d", t.Backlog, MaxBacklog)
	}
	faults = append(faults, t.validateRate(), t.validateAPIRate(), t.validateRoutes(), t.validateAttachments(), t.validateBudgets(), t.validateWebhooks())
	if len(t.Servers) == 0 || len(t.Servers) > MaxServers {
		fault("servers has %d entries, want 1 to %d", len(t.Servers), MaxServers)
	}
	for i, server := range t.Servers {
		if server == "" {
			fault("servers[%d] is empty", i)
		}
		if slices.Contains(t.Servers[:i], server) {
			fault("servers[%d]: %q is listed twice", i, server)
		}
	}
	if len(t.Instructions) > MaxInstructions {
		fault("instructions has %d bytes, at most %d are allowed", len(t.Instructions), MaxInstructions)
	}
	if t.Limits.Iterations < 0 || t.Limits.ToolCalls < 0 || t.Limits.Tokens < 0 || t.Limits.WallTimeSeconds < 0 {
		fault("limits has a negative field")
	}
	return errors.Join(faults...)
}
