package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
)

// States of a credential whose tokens are renewed.
const (
	// CredentialRefused has to be connected again: the provider does not renew it.
	CredentialRefused = "refused"
	// CredentialExpired has an access token that has ended.
	CredentialExpired = "expired"
	// CredentialRenewing is being renewed just now.
	CredentialRenewing = "renewing"
	// CredentialSealed is any other.
	CredentialSealed = "sealed"
)

// CredentialEntry is what may be shown of a credential.
type CredentialEntry struct {
	vault.Entry
	// DisplayName is what its owner calls it; empty for nothing.
	DisplayName string `json:"display_name,omitempty"`
	// ExpiresAt is the end of its access token; zero where it is not known.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// State is one of the words above.
	State string `json:"state"`
}

func newCredentialEntry(entry vault.Entry, now time.Time) CredentialEntry {
	shown := CredentialEntry{
		Entry: entry, DisplayName: entry.Plain[fieldDisplayName], ExpiresAt: timeOf(entry, provider.FieldExpiresAt), State: CredentialSealed,
	}
	shown.Fields = slices.DeleteFunc(slices.Clone(entry.Fields), func(name string) bool { return name == fieldDisplayName })
	switch {
	case !timeOf(entry, provider.FieldRefusedAt).IsZero():
		shown.State = CredentialRefused
	case !shown.ExpiresAt.IsZero() && !now.Before(shown.ExpiresAt):
		shown.State = CredentialExpired
	case now.Before(timeOf(entry, provider.FieldRenewingUntil)):
		shown.State = CredentialRenewing
	}
	return shown
}

// fieldDisplayName lies beside the fields of a credential, in clear, and is none
// of them: no manifest can have a field of this name, and no provider sees it.
const fieldDisplayName = "display-name"

// named gives the fields of a credential a name to be called by.
func named(fields map[string]string, name string) map[string]string {
	if name == "" {
		return fields
	}
	fields = maps.Clone(fields)
	fields[fieldDisplayName] = name
	return fields
}

// OperatorID owns the operator's own registrations, where a tenant's id is
// asked for; no tenant can have it.
const OperatorID = vault.Operator

// DeleteCredential removes a tenant's credential for a server; env is the
// tenant's own when empty. One that is not there is [vault.ErrNoCredential].
func (o *Operator) DeleteCredential(ctx context.Context, id tenant.ID, server string, env events.Environment) error {
	if env == "" {
		customer, err := o.Tenant(ctx, id)
		if err != nil {
			return err
		}
		env = customer.Environment
	}
	entries, err := o.Credentials(ctx, id)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(entry CredentialEntry) bool { return entry.Server == server && entry.Environment == env }) {
		return fmt.Errorf("deleting the %s credential of %s for %q: %w", env, id, server, vault.ErrNoCredential)
	}
	keys, err := o.kit.credentials(ctx)
	if err != nil {
		return err
	}
	return keys.Delete(ctx, id, server, env)
}

// Register seals the operator's own application with a provider, a JSON object
// of the fields that the manifest calls the application's. Accounts of all
// tenants that bring none of their own are connected to it, and renewed by it.
func (o *Operator) Register(ctx context.Context, server string, env events.Environment, text string) ([]string, error) {
	manifest, err := manifestOf(server)
	if err != nil {
		return nil, err
	}
	var given map[string]string
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return nil, fmt.Errorf("%w: want a JSON object of texts", provider.ErrInvalidCredential)
	}
	names := []string{}
	fields := map[string]vault.Secret{}
	for _, field := range manifest.Credential.Fields {
		if !field.Application {
			continue
		}
		if given[field.Name] == "" {
			return nil, fmt.Errorf("%w: field %s is missing", provider.ErrInvalidCredential, field.Name)
		}
		names = append(names, field.Name)
		fields[field.Name] = vault.NewSecret(given[field.Name])
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("accounts of %s are not connected to an application", server)
	}
	if len(given) > len(names) {
		return nil, fmt.Errorf("%w: there is a field that is none of %s", provider.ErrInvalidCredential, strings.Join(names, ", "))
	}
	if err := manifest.Credential.CheckEnvironment(given, env); err != nil {
		return nil, err
	}
	if err := o.kit.provision(ctx); err != nil {
		return nil, err
	}
	keys, err := o.kit.credentials(ctx)
	if err != nil {
		return nil, err
	}
	if err := keys.Put(ctx, OperatorID, server, env, fields); err != nil {
		return nil, fmt.Errorf("sealing the registration with %s: %w", server, err)
	}
	return names, nil
}

func manifestOf(server string) (provider.Manifest, error) {
	manifests, err := provider.Embedded()
	if err != nil {
		return provider.Manifest{}, err
	}
	at := slices.IndexFunc(manifests, func(m provider.Manifest) bool { return m.ID == server })
	if at < 0 {
		return provider.Manifest{}, fmt.Errorf("there is no provider %q", server)
	}
	return manifests[at], nil
}
