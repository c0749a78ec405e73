package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
)

// Survey tells of all tenants' credentials for some servers, what [Vault.List]
// tells of one's, in the order of their names. It decrypts nothing. It ends with
// the first error of each.
func (v *Vault) Survey(ctx context.Context, servers []string, each func(tenant events.TenantID, entry Entry) error) error {
	keys, err := v.store.List(ctx, "")
	if err != nil {
		return fmt.Errorf("listing credentials: %w", err)
	}
	slices.Sort(keys)
	for _, key := range keys {
		owner, _, found := strings.Cut(key, ".")
		tenant := events.TenantID(owner)
		if !found || tenant == Operator {
			continue
		}
		at, err := parsePlace(tenant, key)
		if err != nil || !slices.Contains(servers, at.server) {
			continue // a keyset, a mark, another server
		}
		entry, found, err := v.entry(ctx, at)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if err := each(tenant, entry); err != nil {
			return err
		}
	}
	return nil
}

// entry is what may be shown of the credential at a place; false when it was
// deleted.
func (v *Vault) entry(ctx context.Context, at place) (Entry, bool, error) {
	read, revision, err := v.current(ctx, at)
	if err != nil || revision == 0 {
		return Entry{}, false, err
	}
	return Entry{
		Server: at.server, Environment: at.env,
		Fields: read.Fields, Version: read.Version, UpdatedAt: read.UpdatedAt, Plain: read.Plain,
	}, true, nil
}
