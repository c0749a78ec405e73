package commerce

import (
	"context"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// AuthKind is how a server is authenticated at, in the words of CodeSpar's
// catalogue.
type AuthKind string

// Kinds of authentication.
const (
	AuthAPIKey     AuthKind = "api_key"
	AuthPathSecret AuthKind = "path_secret"
	AuthTwoHeader  AuthKind = "two_header"
	AuthOAuth      AuthKind = "oauth"
	AuthNone       AuthKind = "none"
)

// Server is what is known of a server, whoever is connected to it. It holds no
// secret.
type Server struct {
	ID   string
	Name string
	Docs string
	// Category is what it is for: payments, shipping, fiscal, messaging.
	Category string
	// Country is where it is used, in two letters; empty where it is not known.
	Country string
	Auth    AuthKind
	// Fields are those that its credential has.
	Fields []Field
	// Environments are those that it has a host for.
	Environments []events.Environment
	// Pitfalls are what is easily got wrong there.
	Pitfalls []string
	Tools    []Listing
}

// Field is one part of a credential, by name alone.
type Field struct {
	Name     string
	Hint     string
	Secret   bool
	Optional bool
}

// Listing is what is known of a tool beyond what a model is told.
type Listing struct {
	Name        string
	Description string
	Method      string
	Path        string
	Safety      agent.Safety
	// Stakes are "money" or "irreversible", empty for none.
	Stakes string
	// Doubt is what nobody has confirmed of it.
	Doubt string
}

// Directory tells of every server that there is. Implementations are safe for
// concurrent use and tell nothing that belongs to one tenant.
type Directory interface {
	// Servers are in a stable order.
	Servers() []Server
}

// Connections tells which servers a tenant has a credential for. Implementations
// are safe for concurrent use, and open no credential for it.
type Connections interface {
	// Connected gives, by server, when its credential for the environment was
	// last written.
	Connected(ctx context.Context, tenant events.TenantID, env events.Environment) (map[string]time.Time, error)
}
