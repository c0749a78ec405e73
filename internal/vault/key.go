package vault

import (
	"fmt"
	"strings"

	"github.com/feira-dev/feira/events"
)

// Bounds of what is stored.
const (
	maxServer = 64
	maxFields = 16
	maxName   = 64
	maxValue  = 48 << 10 // a company's certificate with its chain
)

// place is where a credential belongs. Its tokens hold neither "." nor "|", so
// no two places share a key or an associated data.
type place struct {
	tenant events.TenantID
	server string
	env    events.Environment
}

// Operator owns, among the tenants, what belongs to none of them: the
// operator's own registrations with providers. No tenant can have this name.
const Operator events.TenantID = "_operator"

// checkOwner refuses what is neither a tenant nor [Operator].
func checkOwner(tenant events.TenantID) error {
	if tenant == Operator {
		return nil
	}
	if _, err := events.ParseTenantID(string(tenant)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func newPlace(tenant events.TenantID, server string, env events.Environment) (place, error) {
	if err := checkOwner(tenant); err != nil {
		return place{}, err
	}
	if !isToken(server, maxServer) {
		return place{}, fmt.Errorf("%w: server has to be 1 to %d lower-case letters, digits, \"_\" or \"-\"", ErrInvalid, maxServer)
	}
	if env != events.EnvironmentLive && env != events.EnvironmentTest {
		return place{}, fmt.Errorf("%w: environment has to be live or test", ErrInvalid)
	}
	return place{tenant: tenant, server: server, env: env}, nil
}

func keysetKey(tenant events.TenantID) string        { return string(tenant) + ".keyset" }
func credentialPrefix(tenant events.TenantID) string { return string(tenant) + ".cred." }

func (p place) key() string {
	return credentialPrefix(p.tenant) + p.server + "." + string(p.env)
}

// parsePlace reads a key of [place.key] back.
func parsePlace(tenant events.TenantID, key string) (place, error) {
	rest, ok := strings.CutPrefix(key, credentialPrefix(tenant))
	server, env, found := strings.Cut(rest, ".")
	if !ok || !found {
		return place{}, fmt.Errorf("%w: foreign key in the store", ErrInvalid)
	}
	return newPlace(tenant, server, events.Environment(env))
}

func isToken(text string, limit int) bool {
	if text == "" || len(text) > limit {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func checkFields(fields map[string]Secret) error {
	if len(fields) == 0 || len(fields) > maxFields {
		return fmt.Errorf("%w: %d fields, want 1 to %d", ErrInvalid, len(fields), maxFields)
	}
	for name, secret := range fields {
		if !isToken(name, maxName) {
			return fmt.Errorf("%w: a field's name has to be 1 to %d lower-case letters, digits, \"_\" or \"-\"", ErrInvalid, maxName)
		}
		if size := len(secret.Reveal()); size == 0 || size > maxValue {
			return fmt.Errorf("%w: field %s has %d bytes, want 1 to %d", ErrInvalid, name, size, maxValue)
		}
	}
	return nil
}
