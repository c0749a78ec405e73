package access

import (
	"fmt"
	"slices"
	"strings"
)

// Scope is one thing that a key may do. None includes another, but [ScopeAll].
type Scope string

// Scopes.
const (
	// ScopeAll is every scope; of a tenant's key, every one that a tenant's key
	// may have.
	ScopeAll              Scope = "*"
	ScopeSessionsRead     Scope = "sessions:read"
	ScopeSessionsWrite    Scope = "sessions:write"
	ScopeToolsExecute     Scope = "tools:execute"
	ScopeConnectionsRead  Scope = "connections:read"
	ScopeConnectionsWrite Scope = "connections:write"
	ScopeUsageRead        Scope = "usage:read"
	ScopeTriggersRead     Scope = "triggers:read"
	ScopeTriggersWrite    Scope = "triggers:write"
	ScopeTenantsWrite     Scope = "tenants:write"
	ScopeKeysWrite        Scope = "keys:write"
)

// aliasSessionsCreate is what CodeSpar calls [ScopeSessionsWrite].
const aliasSessionsCreate Scope = "sessions:create"

// Scopes lists every scope but [ScopeAll].
func Scopes() []Scope {
	return append(DefaultScopes(), ScopeTenantsWrite, ScopeKeysWrite)
}

// DefaultScopes are those of a key that names none: all that an application
// needs, and nothing that administers.
func DefaultScopes() []Scope {
	return []Scope{
		ScopeSessionsRead, ScopeSessionsWrite, ScopeToolsExecute, ScopeConnectionsRead, ScopeConnectionsWrite,
		ScopeUsageRead, ScopeTriggersRead, ScopeTriggersWrite,
	}
}

// ParseScopes returns the scopes of these names, sorted and each once, or
// [ErrInvalid]. CodeSpar's sessions:create is read as sessions:write.
func ParseScopes(names []string) ([]Scope, error) {
	scopes := make([]Scope, 0, len(names))
	for i, name := range names {
		scope := Scope(strings.TrimSpace(name))
		if scope == aliasSessionsCreate {
			scope = ScopeSessionsWrite
		}
		if !known(scope) {
			return nil, fmt.Errorf("%w: scopes[%d] is %q, want one of %v or %s", ErrInvalid, i, clip(name), Scopes(), ScopeAll)
		}
		scopes = append(scopes, scope)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

func known(scope Scope) bool { return scope == ScopeAll || slices.Contains(Scopes(), scope) }

// platform reports whether a scope is about more than one tenant, so that no
// tenant's key has it.
func platform(scope Scope) bool { return scope == ScopeTenantsWrite }

// clip keeps what a stranger wrote short.
func clip(text string) string {
	const limit = 64
	if len(text) > limit {
		return text[:limit] + "..."
	}
	return text
}
