package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/internal/vault"
)

// Operator does what the command line asks of a running Feira. It belongs to
// one goroutine; Close it.
type Operator struct{ kit *kit }

// NewOperator makes an operator. It connects when it is first asked something.
func NewOperator(cfg config.Config, tel *telemetry.Telemetry) *Operator {
	return &Operator{kit: newKit(cfg, tel)}
}

// Close ends the operator's connections.
func (o *Operator) Close() { o.kit.close() }

// ErrUnknownTenant occurs when an operation names a tenant that is not registered.
var ErrUnknownTenant = errors.New("tenant is not registered")

// ApplyTenants registers tenants or changes them. All are checked before the
// first is written.
func (o *Operator) ApplyTenants(ctx context.Context, tenants []tenant.Tenant) error {
	if err := checkServers(tenants); err != nil {
		return err
	}
	if err := o.kit.provision(ctx); err != nil {
		return err
	}
	registry, err := o.kit.tenants(ctx)
	if err != nil {
		return err
	}
	for _, customer := range tenants {
		if err := registry.Put(ctx, customer); err != nil {
			return fmt.Errorf("applying tenant %s: %w", customer.ID, err)
		}
	}
	return nil
}

// checkServers holds the tenants' servers against the manifests and their own
// attachments, so that a misspelt one is found now and not by the first tool call.
func checkServers(tenants []tenant.Tenant) error {
	manifests, err := provider.Embedded()
	if err != nil {
		return err
	}
	var known []string
	for _, manifest := range manifests {
		known = append(known, manifest.ID)
	}
	var faults []error
	for _, customer := range tenants {
		if err := customer.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("tenant %q: %w", customer.ID, err))
		}
		if err := commerce.CheckRoutes(customer); err != nil {
			faults = append(faults, fmt.Errorf("tenant %q: %w", customer.ID, err))
		}
		for i, attached := range customer.MCP {
			if slices.Contains(known, attached.ID) {
				faults = append(faults, fmt.Errorf("tenant %q: mcp[%d].id: %q is a provider that Feira knows by itself", customer.ID, i, attached.ID))
			}
		}
		for i, server := range customer.Servers {
			if _, attached := customer.Attachment(server); !attached && !slices.Contains(known, server) {
				faults = append(faults, fmt.Errorf("tenant %q: servers[%d]: there is no provider %q; there are %v", customer.ID, i, server, known))
			}
		}
	}
	return errors.Join(faults...)
}

// Tenants lists the registered tenants.
func (o *Operator) Tenants(ctx context.Context) ([]tenant.Tenant, error) {
	registry, err := o.kit.tenants(ctx)
	if err != nil {
		return nil, err
	}
	return registry.List(ctx)
}

// Tenant returns one tenant, or [ErrUnknownTenant].
func (o *Operator) Tenant(ctx context.Context, id tenant.ID) (tenant.Tenant, error) {
	registry, err := o.kit.tenants(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	found, ok, err := registry.Lookup(ctx, id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrUnknownTenant, id)
	}
	return found, err
}

// Credentials lists what credentials a tenant has, never their values.
func (o *Operator) Credentials(ctx context.Context, id tenant.ID) ([]CredentialEntry, error) {
	keys, err := o.kit.credentials(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := keys.List(ctx, id)
	if err != nil {
		return nil, err
	}
	entries := make([]CredentialEntry, 0, len(stored))
	for _, entry := range stored {
		if _, err := events.ParseTriggerID(entry.Server); err == nil {
			continue // what signs for a trigger is no credential of a server
		}
		entries = append(entries, newCredentialEntry(entry, o.kit.now()))
	}
	return entries, nil
}

// CredentialParams are a credential as a person gives it.
type CredentialParams struct {
	// Text is one line, or a JSON object of fields.
	Text string
	// DisplayName is what its owner calls it. Defaults to what the one before it
	// was called.
	DisplayName string
}

// SetCredential seals a tenant's credential for a server. It returns the fields'
// names.
func (o *Operator) SetCredential(ctx context.Context, id tenant.ID, server string, given CredentialParams) ([]string, error) {
	customer, err := o.Tenant(ctx, id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(customer.Servers, server) {
		return nil, fmt.Errorf("tenant %s has no server %q; it has %v", id, server, customer.Servers)
	}
	spec, err := credentialSpec(customer, server)
	if err != nil {
		return nil, err
	}
	fields, err := spec.Parse(given.Text)
	if err != nil {
		return nil, err
	}
	if err := spec.CheckEnvironment(fields, customer.Environment); err != nil {
		return nil, err
	}
	if given.DisplayName == "" {
		if given.DisplayName, err = o.displayName(ctx, customer, server); err != nil {
			return nil, err
		}
	}
	return o.putCredential(ctx, customer, server, named(fields, given.DisplayName))
}

// displayName is what the credential at a place is called; empty for nothing.
func (o *Operator) displayName(ctx context.Context, customer tenant.Tenant, server string) (string, error) {
	entries, err := o.Credentials(ctx, customer.ID)
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if entry.Server == server && entry.Environment == customer.Environment {
			return entry.DisplayName, nil
		}
	}
	return "", nil
}

func (o *Operator) putCredential(ctx context.Context, customer tenant.Tenant, server string, fields map[string]string) ([]string, error) {
	keys, err := o.kit.credentials(ctx)
	if err != nil {
		return nil, err
	}
	secrets := make(map[string]vault.Secret, len(fields))
	names := make([]string, 0, len(fields))
	for name, value := range fields {
		secrets[name] = vault.NewSecret(value)
		if name != fieldDisplayName {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if err := keys.Put(ctx, customer.ID, server, customer.Environment, secrets); err != nil {
		return nil, fmt.Errorf("sealing the credential of %s for %s: %w", customer.ID, server, err)
	}
	return names, nil
}

// DeadLetters lists what was given up; of every tenant when id is empty.
func (o *Operator) DeadLetters(ctx context.Context, id tenant.ID) ([]events.Record, error) {
	broker, err := o.kit.broker(ctx)
	if err != nil {
		return nil, err
	}
	return broker.Dead().List(ctx, id)
}

// Follow tells the events of a tenant's sessions in order.
func (o *Operator) Follow(ctx context.Context, params bus.FollowParams, hear func(events.Record)) error {
	broker, err := o.kit.broker(ctx)
	if err != nil {
		return err
	}
	return broker.Log().Follow(ctx, params, hear)
}

// Usage is what a tenant used in a period, and what it owes for it.
type Usage struct {
	Tenant  tenant.ID    `json:"tenant"`
	Period  usage.Period `json:"period"`
	Summary Summary      `json:"usage"`
	Bill    rating.Bill  `json:"bill"`
}

// Summary counts billable usage.
type Summary struct {
	ToolCalls    int64 `json:"tool_calls"`
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

// Usage adds up a tenant's ledger over a month, "2026-11"; the current month
// when empty.
func (o *Operator) Usage(ctx context.Context, id tenant.ID, month string) (Usage, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return Usage{}, err
	}
	period, err := o.month(books, month)
	if err != nil {
		return Usage{}, err
	}
	used, bill, err := o.rate(ctx, books, RateParams{Tenant: id, Period: period})
	if err != nil {
		return Usage{}, err
	}
	summary, err := summarise(used.Totals)
	return Usage{Tenant: id, Period: period, Summary: summary, Bill: bill}, err
}

// ToolCalls lists a page of the ledger's tool calls.
func (o *Operator) ToolCalls(ctx context.Context, filter usage.ToolCallFilter) (usage.ToolCallPage, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return usage.ToolCallPage{}, err
	}
	return books.ToolCalls(ctx, filter)
}

func summarise(totals usage.Totals) (Summary, error) {
	var summary Summary
	for _, part := range []struct {
		meter events.Meter
		unit  string
		into  *int64
	}{
		{events.MeterToolCall, events.UnitCall, &summary.ToolCalls},
		{events.MeterModelReply, events.UnitInputToken, &summary.InputTokens},
		{events.MeterModelReply, events.UnitOutputToken, &summary.OutputTokens},
	} {
		sum, err := billable(totals).Sum(part.meter, part.unit)
		if err != nil {
			return Summary{}, err
		}
		*part.into = sum.Whole()
	}
	return summary, nil
}

func billable(totals usage.Totals) usage.Totals {
	return slices.DeleteFunc(slices.Clone(totals), func(total usage.Total) bool { return !total.Billable })
}
