package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/internal/lifecycle"
)

// RewrapperConfig is what a [Rewrapper] works with.
type RewrapperConfig struct {
	// Vault is whose rotations are finished. Required.
	Vault *Vault
	// Every is the pause between two looks. Defaults to a minute.
	Every time.Duration
	// Logger hears of what was finished, and of what could not be. Defaults to
	// nobody.
	Logger *slog.Logger
}

// Rewrapper finishes, in the background, rotations and shreddings that were
// begun anywhere.
// Any number may run beside each other.
type Rewrapper struct {
	*lifecycle.Runner

	config RewrapperConfig
}

// NewRewrapper makes a rewrapper.
func NewRewrapper(config RewrapperConfig) (*Rewrapper, error) {
	if config.Every == 0 {
		config.Every = time.Minute
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Vault == nil {
		return nil, errors.New("rewrapper: Vault is missing")
	}
	if config.Every < 0 {
		return nil, fmt.Errorf("rewrapper: Every is %s, want above 0", config.Every)
	}
	r := &Rewrapper{config: config}
	r.Runner = lifecycle.NewRunner("rewrapper", r.run)
	return r, nil
}

// run looks until the part is stopped. A look that is under way then is cut
// short: what it left undone is still marked.
func (r *Rewrapper) run(fetch, _ context.Context, ready func()) error {
	ready()
	pause := time.NewTicker(r.config.Every)
	defer pause.Stop()
	for {
		r.look(fetch)
		r.resume(fetch)
		select {
		case <-pause.C:
		case <-fetch.Done():
			return nil
		}
	}
}

func (r *Rewrapper) look(ctx context.Context) {
	tenants, err := r.config.Vault.Unfinished(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.config.Logger.WarnContext(ctx, "unfinished rotations cannot be listed", "error", err)
		}
		return
	}
	for _, tenant := range tenants {
		progress, err := r.config.Vault.Rewrap(ctx, tenant)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.config.Logger.WarnContext(ctx, "rotation cannot go on", "tenant", string(tenant), "error", err)
		case progress.OldKeysUntil.IsZero():
			r.config.Logger.InfoContext(ctx, "rotation finished", "tenant", string(tenant), "rewrapped", progress.Rewrapped, "unreadable", progress.Unreadable)
		}
	}
}
