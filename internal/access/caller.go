package access

import (
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// Caller is who has proved to hold a key that is good. The zero Caller may
// nothing and reaches nothing.
type Caller struct {
	key Key
}

// Key is the caller's key, not to be modified.
func (c Caller) Key() Key { return c.key }

// Platform reports whether the caller's key is that of no single tenant.
func (c Caller) Platform() bool { return c.key.ID != "" && c.key.Tenant == "" }

// May reports whether the caller has a scope. A tenant's key with [ScopeAll]
// does not have those that are about more than one tenant.
func (c Caller) May(scope Scope) bool {
	if scope == aliasSessionsCreate {
		scope = ScopeSessionsWrite
	}
	if c.key.Tenant != "" && platform(scope) {
		return false
	}
	return slices.Contains(c.key.Scopes, scope) || known(scope) && slices.Contains(c.key.Scopes, ScopeAll)
}

// Reaches reports whether something of a tenant is the caller's to see. What a
// caller does not reach is to be answered like what is not there.
func (c Caller) Reaches(owner tenant.ID, environment events.Environment) bool {
	return c.key.ID != "" && owner != "" && environment == c.key.Environment && (c.key.Tenant == "" || c.key.Tenant == owner)
}

// Project is the one that a request of the caller's acts in, given the one that
// it asks for, which may be empty: the key's own wins, as CodeSpar has it.
func (c Caller) Project(asked Project) Project {
	if c.key.Project != "" {
		return c.key.Project
	}
	return asked
}

// MayGrant is nil when a new key would reach no further than the caller's own,
// and [ErrExceeds] otherwise. Whether the caller may make keys at all is
// another question: [ScopeKeysWrite].
func (c Caller) MayGrant(key Key) error {
	own := c.key
	switch {
	case own.ID == "":
		return fmt.Errorf("%w: there is no caller", ErrExceeds)
	case key.Environment != own.Environment:
		return fmt.Errorf("%w: environment is %q, the caller's is %s", ErrExceeds, clip(string(key.Environment)), own.Environment)
	case own.Tenant != "" && key.Tenant != own.Tenant:
		return fmt.Errorf("%w: tenant is not the caller's", ErrExceeds)
	case own.Project != "" && key.Project != own.Project:
		return fmt.Errorf("%w: project is not the caller's", ErrExceeds)
	case !own.ExpiresAt.IsZero() && (key.ExpiresAt.IsZero() || key.ExpiresAt.After(own.ExpiresAt)):
		return fmt.Errorf("%w: expires_at is after the caller's", ErrExceeds)
	}
	for i, scope := range key.Scopes {
		if !c.May(scope) {
			return fmt.Errorf("%w: scopes[%d] is %q, which the caller does not have", ErrExceeds, i, clip(string(scope)))
		}
	}
	return nil
}
