package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
)

// Account is a tenant's connection to a server whose tokens are renewed.
type Account struct {
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
	// Due is from when on its tokens are to be renewed; zero when nobody knows,
	// which is now.
	Due time.Time
	// Ends is when the access token ends; zero when nobody knows.
	Ends time.Time
	// RefusedAt is when the provider last refused to renew them for good; zero
	// when it has not.
	RefusedAt time.Time
}

// Accounts lists accounts, as far as that can be told without opening a
// credential.
type Accounts interface {
	// Renewable tells each account whose tokens are renewed, in any order, and
	// ends with the first error of each.
	Renewable(ctx context.Context, each func(Account) error) error
}

// Renewer renews the tokens of an account if it is time. It is nil when there
// is nothing to do or another does it, and wraps [ErrRefused] when the account
// has to be connected again. What it has begun it brings to its end, though ctx
// ends. Its errors hold no secret.
type Renewer interface {
	Renew(ctx context.Context, account Account) error
}

// ErrRefused occurs when a provider has said no to an account's tokens, and
// will again. Implementations of [Renewer] wrap it.
var ErrRefused = errors.New("the provider refuses to renew the tokens")
