package app

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/vault"
)

// keks opens the keys that wrap the tenants' keysets, the one that wraps new
// ones first.
func (k *kit) keks(ctx context.Context) ([]vault.KEK, error) {
	first := k.cfg.Vault.KEK
	if first == "" {
		first = filepath.Join(k.cfg.DataDir, "kek.json")
	}
	uris := []string{first}
	for _, uri := range k.cfg.Vault.OtherKEKs {
		if !slices.Contains(uris, uri) {
			uris = append(uris, uri)
		}
	}
	keks := make([]vault.KEK, len(uris))
	for i, uri := range uris {
		kek, err := vault.OpenKEK(ctx, uri)
		if err != nil {
			return nil, fmt.Errorf("opening the key that wraps keysets: %w", err)
		}
		keks[i] = kek
	}
	return keks, nil
}

// rewrapper makes what finishes rotations that were begun.
func (k *kit) rewrapper(ctx context.Context) (*vault.Rewrapper, error) {
	keys, err := k.credentials(ctx)
	if err != nil {
		return nil, err
	}
	return vault.NewRewrapper(vault.RewrapperConfig{Vault: keys, Logger: k.log})
}

// accountable tells the vault, by way of the context, for what a credential is
// opened: the clients ask for it by tenant, server and environment alone.
type accountable struct{ stall }

func (a accountable) Call(ctx context.Context, call agent.Call) agent.Result {
	return a.stall.Call(withPurpose(ctx, "tool call", call), call)
}

func (a accountable) Lookup(ctx context.Context, call agent.Call) (agent.Result, bool) {
	return a.stall.Lookup(withPurpose(ctx, "look-up of a call in doubt", call), call)
}

func (a accountable) Tools(ctx context.Context, reach agent.Reach) []agent.Tool {
	return a.stall.Tools(withPurpose(ctx, listing, agent.Call{Session: reach.Session}), reach)
}

func (a accountable) Safety(ctx context.Context, reach agent.Reach, server, tool string) (agent.Safety, bool) {
	return a.stall.Safety(withPurpose(ctx, listing, agent.Call{Session: reach.Session}), reach, server, tool)
}

const listing = "list of tools"

type purposeKey struct{}

func withPurpose(ctx context.Context, why string, call agent.Call) context.Context {
	return context.WithValue(ctx, purposeKey{}, vault.Purpose{Why: why, Session: call.Session, Request: call.Request, Tool: call.Tool})
}

// purposeOf is why a credential is opened; one that nobody said is said to be so.
func purposeOf(ctx context.Context) vault.Purpose {
	if purpose, ok := ctx.Value(purposeKey{}).(vault.Purpose); ok {
		return purpose
	}
	return vault.Purpose{Why: "unknown"}
}
