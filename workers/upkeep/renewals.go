package upkeep

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/feira-dev/feira/internal/fault"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// Defaults of [Config].
const (
	DefaultEvery    = time.Hour
	DefaultPace     = time.Second
	DefaultAskAgain = 24 * time.Hour
)

// Config is what [Renewals] work with.
type Config struct {
	// Accounts lists what may be due. Required.
	Accounts Accounts
	// Renewer renews it. Required.
	Renewer Renewer
	// Every is the pause between two looks. Defaults to an hour.
	Every time.Duration
	// Pace is the pause after each renewal of a look. Defaults to a second.
	Pace time.Duration
	// AskAgain is how long an account that was refused is left alone. Defaults
	// to a day.
	AskAgain time.Duration
	// Logger hears of what was renewed, and of what could not be. Defaults to
	// nobody.
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	c.Every = cmp.Or(c.Every, DefaultEvery)
	c.Pace = cmp.Or(c.Pace, DefaultPace)
	c.AskAgain = cmp.Or(c.AskAgain, DefaultAskAgain)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	faults := fault.In("upkeep: renewals")
	faults.Missing("Accounts", c.Accounts == nil)
	faults.Missing("Renewer", c.Renewer == nil)
	faults.Negative("Every", c.Every < 0)
	faults.Negative("Pace", c.Pace < 0)
	faults.Negative("AskAgain", c.AskAgain < 0)
	return faults.Join()
}

// Renewals is a part that looks for accounts whose tokens are due, at once and
// then every so often, and has them renewed one after the other.
type Renewals struct {
	*lifecycle.Runner

	config Config
}

// NewRenewals makes the part.
func NewRenewals(config Config) (*Renewals, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	r := &Renewals{config: config}
	r.Runner = lifecycle.NewRunner("renewals", r.run)
	return r, nil
}

// run looks until the part is stopped. A stop waits for the renewal in hand,
// whose refresh token may be spent already, and begins no other.
func (r *Renewals) run(fetch, work context.Context, ready func()) error {
	ready()
	every(fetch, r.config.Every, func() { r.look(fetch, work) })
	return nil
}

func (r *Renewals) look(fetch, work context.Context) {
	due, err := r.due(fetch)
	if err != nil && fetch.Err() == nil {
		r.config.Logger.WarnContext(fetch, "accounts whose tokens are renewed cannot all be listed", "error", err)
	}
	for _, account := range due {
		if fetch.Err() != nil {
			return
		}
		r.renew(work, account)
		if !lifecycle.Pause(fetch, r.config.Pace) {
			return
		}
	}
}

// due are the accounts to renew now, the one that ends first ahead of all.
func (r *Renewals) due(ctx context.Context) ([]Account, error) {
	var due []Account
	now := r.config.Now()
	err := r.config.Accounts.Renewable(ctx, func(account Account) error {
		if !account.Due.After(now) && !r.givenUp(account, now) {
			due = append(due, account)
		}
		return nil
	})
	slices.SortStableFunc(due, func(a, b Account) int { return a.Ends.Compare(b.Ends) })
	return due, err
}

// givenUp reports whether a refused account is left to a person: for a while,
// and for good once its token has ended, since nothing works with it any more.
func (r *Renewals) givenUp(account Account, now time.Time) bool {
	if account.RefusedAt.IsZero() {
		return false
	}
	return now.Before(account.RefusedAt.Add(r.config.AskAgain)) || !now.Before(account.Ends)
}

func (r *Renewals) renew(ctx context.Context, account Account) {
	about := []any{"tenant", string(account.Tenant), "server", account.Server, "environment", string(account.Environment)}
	err := r.config.Renewer.Renew(ctx, account)
	switch {
	case errors.Is(err, ErrRefused):
		r.config.Logger.WarnContext(ctx, "an account has to be connected again: its tokens are not renewed", append(about, "ends", account.Ends, "error", err)...)
	case err != nil:
		r.config.Logger.WarnContext(ctx, "tokens cannot be renewed just now", append(about, "ends", account.Ends, "error", err)...)
	default:
		r.config.Logger.InfoContext(ctx, "tokens are looked after", about...)
	}
}
