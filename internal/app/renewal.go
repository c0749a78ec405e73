package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/workers/upkeep"
)

// plainFields are the fields of a credential that people and the upkeep may
// see: times and a name, and nothing that opens anything.
func plainFields() []string {
	return []string{provider.FieldExpiresAt, provider.FieldRenewingUntil, provider.FieldRefusedAt, fieldDisplayName}
}

// Replace implements [provider.Renewals] on the vault.
func (c credentials) Replace(ctx context.Context, renewal provider.Renewal) (provider.Credential, error) {
	fields := make(map[string]vault.Secret, len(renewal.Fields))
	for name, value := range renewal.Fields {
		fields[name] = vault.NewSecret(value)
	}
	if renewal.Was == nil {
		return nil, c.vault.Put(ctx, renewal.Tenant, renewal.Server, renewal.Environment, fields)
	}
	was, ok := renewal.Was.(vault.Credential)
	if !ok {
		return nil, fmt.Errorf("%w: what it was is none of the vault's", provider.ErrReplaced)
	}
	if name, called := was.Reveal(fieldDisplayName); called { // which the provider's client does not know
		fields[fieldDisplayName] = vault.NewSecret(name)
	}
	now, err := c.vault.Replace(ctx, vault.Replacement{
		Tenant: renewal.Tenant, Server: renewal.Server, Environment: renewal.Environment, Was: was, Fields: fields,
	})
	if errors.Is(err, vault.ErrReplaced) {
		return nil, fmt.Errorf("%w: %w", provider.ErrReplaced, err)
	}
	if err != nil {
		return nil, err
	}
	return now, nil
}

// Registration implements [provider.Registrations]: the operator's own
// applications lie in the vault, under a name that no tenant can have.
func (c credentials) Registration(ctx context.Context, server string, env events.Environment) (provider.Credential, error) {
	return c.Open(ctx, vault.Operator, server, env)
}

// rested are the accounts whose tokens are renewed though nobody uses them.
type rested struct {
	vault  *vault.Vault
	client *provider.Client
}

// Renewable implements [upkeep.Accounts] by what the vault says in clear.
func (r rested) Renewable(ctx context.Context, each func(upkeep.Account) error) error {
	before := map[string]time.Duration{}
	var servers []string
	for _, id := range r.client.Servers() {
		if manifest, ok := r.client.Manifest(id); ok && manifest.Auth.Refresh != nil {
			before[id] = time.Duration(manifest.Auth.Refresh.Before)
			servers = append(servers, id)
		}
	}
	return r.vault.Survey(ctx, servers, func(tenant events.TenantID, entry vault.Entry) error {
		if !slices.Contains(entry.Fields, provider.FieldRefreshToken) {
			return nil // an access token alone
		}
		account := upkeep.Account{
			Tenant: tenant, Server: entry.Server, Environment: entry.Environment,
			Ends: timeOf(entry, provider.FieldExpiresAt), RefusedAt: timeOf(entry, provider.FieldRefusedAt),
		}
		if !account.Ends.IsZero() {
			account.Due = account.Ends.Add(-before[entry.Server])
		}
		return each(account)
	})
}

// timeOf is a time that an entry tells; zero when it does not.
func timeOf(entry vault.Entry, field string) time.Time {
	at, err := time.Parse(time.RFC3339, entry.Plain[field])
	if err != nil {
		return time.Time{}
	}
	return at
}

// Renew implements [upkeep.Renewer].
func (r rested) Renew(ctx context.Context, account upkeep.Account) error {
	ctx = context.WithValue(ctx, purposeKey{}, vault.Purpose{Why: "renewal of an idle account"})
	err := r.client.Renew(ctx, account.Tenant, account.Server, account.Environment)
	if errors.Is(err, provider.ErrRefused) {
		return fmt.Errorf("%w: %w", upkeep.ErrRefused, err)
	}
	return err
}

func buildUpkeep(ctx context.Context, k *kit) (lifecycle.Part, error) {
	keys, err := k.credentials(ctx)
	if err != nil {
		return nil, err
	}
	client, err := k.providers(ctx)
	if err != nil {
		return nil, err
	}
	accounts := rested{vault: keys, client: client}
	renewals, err := upkeep.NewRenewals(upkeep.Config{
		Accounts: accounts, Renewer: accounts, Every: k.cfg.Upkeep.Every, Pace: k.cfg.Upkeep.Pace, Logger: k.log, Now: k.now,
	})
	if err != nil {
		return nil, err
	}
	selfcheck, err := k.selfcheck(ctx, keys, client)
	if err != nil {
		return nil, err
	}
	parts := []lifecycle.Part{renewals, selfcheck}
	if k.cfg.Upkeep.Polls == config.PollsOn {
		polls, err := buildPolls(ctx, k)
		if err != nil {
			return nil, err
		}
		parts = append(parts, polls)
	}
	return lifecycle.NewGroup("upkeep", parts...), nil
}
