package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/telemetry"
)

// key is the API key of a Feira on one machine: that of a file in its data
// folder, so that it is the same each time, or a new one. It reaches test
// tenants alone.
func (w *world) key(ctx context.Context, tel *telemetry.Telemetry) (string, error) {
	k := newKit(w.cfg, tel)
	defer k.close()
	kv, err := k.buckets(ctx)
	if err != nil {
		return "", err
	}
	keys, err := kv.Keys(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(w.cfg.DataDir, "api.key")
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the API key: %w", err)
	}
	if secret, err := access.Parse(strings.TrimSpace(string(text))); err == nil {
		if found, ok, err := keys.Lookup(ctx, secret.Hash()); err != nil {
			return "", err
		} else if _, admitted := found.Admit(secret, k.now()); ok && admitted == nil {
			return secret.Reveal(), nil
		}
	}
	made, secret, err := access.Mint(rand.Reader, access.MintParams{
		Name: "feira dev", Environment: events.EnvironmentTest, Scopes: []access.Scope{access.ScopeAll}, CreatedAt: k.now(),
	})
	if err != nil {
		return "", err
	}
	if err := keys.Create(ctx, made); err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(secret.Reveal()+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the API key: %w", err)
	}
	return secret.Reveal(), nil
}
