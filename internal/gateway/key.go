package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

// KeyRow is an API key as clients know it: all but its text.
type KeyRow struct {
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Prefix      string             `json:"prefix"`
	Environment events.Environment `json:"environment"`
	Tenant      string             `json:"tenant_id,omitempty"`
	Scopes      []access.Scope     `json:"scopes"`
	CreatedAt   Moment             `json:"created_at"`
	LastUsedAt  *Moment            `json:"last_used_at" nullable:"true"`
	RevokedAt   *Moment            `json:"revoked_at" nullable:"true"`
	ExpiresAt   *Moment            `json:"expires_at" nullable:"true"`
}

// NewKey is a key on the one occasion on which its text is shown.
type NewKey struct {
	KeyRow
	FullKey string `json:"full_key" doc:"Shown now and never again."`
	Warning string `json:"warning"`
}

type createKeyIn struct {
	Body struct {
		_         struct{}           `json:"-" additionalProperties:"true"`
		Name      string             `json:"name" minLength:"1" maxLength:"128"`
		Env       events.Environment `json:"env,omitempty" enum:"live,test" doc:"That of the caller's key where left out."`
		Tenant    string             `json:"tenant_id,omitempty" maxLength:"64" doc:"The only tenant that the key reaches; the caller's own where it is a tenant's."`
		Scopes    []string           `json:"scopes,omitempty" maxItems:"16"`
		ExpiresAt time.Time          `json:"expires_at,omitzero" required:"false"`
	}
}

type newKeyOut struct{ Body NewKey }

type keyOut struct{ Body KeyRow }

type keysOut struct {
	Body struct {
		Keys []KeyRow `json:"keys"`
	}
}

type keyPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (g *Gateway) keyRoutes() {
	const group = "keys"
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/api-keys", id: "create-key", group: group, status: http.StatusCreated,
		summary: "Make an API key that reaches no further than the caller's", scope: access.ScopeKeysWrite,
	}, g.createKey)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/api-keys", id: "list-keys", group: group, summary: "List API keys", scope: access.ScopeKeysWrite,
	}, g.listKeys)
	revoke := endpoint{
		method: http.MethodDelete, path: "/v1/api-keys/{id}", id: "revoke-key", group: group, summary: "Revoke an API key",
		scope: access.ScopeKeysWrite, faults: []int{http.StatusNotFound},
	}
	serve(g, revoke, g.revokeKey)
	revoke.method, revoke.path, revoke.id = http.MethodPost, "/v1/api-keys/{id}/revoke", "revoke-key-post"
	serve(g, revoke, g.revokeKey)
}

func (g *Gateway) createKey(ctx context.Context, caller access.Caller, in *createKeyIn) (*newKeyOut, error) {
	scopes, err := access.ParseScopes(in.Body.Scopes)
	if err != nil {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error()).at("/scopes")
	}
	params := access.MintParams{
		Name: in.Body.Name, Environment: in.Body.Env, Tenant: events.TenantID(in.Body.Tenant), Project: caller.Key().Project,
		Scopes: scopes, CreatedAt: g.cfg.Now(), ExpiresAt: in.Body.ExpiresAt,
	}
	if params.Environment == "" {
		params.Environment = caller.Key().Environment
	}
	if params.Tenant == "" {
		params.Tenant = caller.Key().Tenant
	}
	key, secret, err := access.Mint(rand.Reader, params)
	if errors.Is(err, access.ErrInvalid) {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error())
	}
	if err != nil {
		return nil, err
	}
	if err := caller.MayGrant(key); err != nil {
		return nil, problem(http.StatusForbidden, CodeForbidden, "%s", err.Error())
	}
	if err := g.cfg.Keyring.Create(ctx, key); err != nil {
		return nil, unsure(err, remedyKeys)
	}
	return &newKeyOut{Body: NewKey{
		KeyRow: keyRow(key), FullKey: secret.Reveal(), Warning: "Store the key now: it is kept as a hash and cannot be shown again.",
	}}, nil
}

// mine reports whether a key is within the caller's reach.
func mine(caller access.Caller, key access.Key) bool {
	own := caller.Key()
	return key.Environment == own.Environment && (own.Tenant == "" || own.Tenant == key.Tenant) && (own.Project == "" || own.Project == key.Project)
}

func (g *Gateway) listKeys(ctx context.Context, caller access.Caller, _ *struct{}) (*keysOut, error) {
	keys, err := g.cfg.Keyring.List(ctx, caller.Key().Tenant)
	if err != nil {
		return nil, worded(err)
	}
	out := &keysOut{}
	out.Body.Keys = []KeyRow{}
	for _, key := range keys {
		if mine(caller, key) {
			out.Body.Keys = append(out.Body.Keys, keyRow(key))
		}
	}
	return out, nil
}

func (g *Gateway) revokeKey(ctx context.Context, caller access.Caller, in *keyPath) (*keyOut, error) {
	missing := problem(http.StatusNotFound, CodeNotFound, "there is no such key")
	id, err := access.ParseID(in.ID)
	if err != nil {
		return nil, missing
	}
	found, ok, err := g.cfg.Keyring.Find(ctx, id)
	if err != nil {
		return nil, worded(err)
	}
	if !ok || !mine(caller, found) {
		return nil, missing
	}
	revoked, ok, err := g.cfg.Keyring.Revoke(ctx, id, g.cfg.Now())
	if err != nil {
		return nil, unsure(err, remedyAgain)
	}
	if !ok {
		return nil, missing
	}
	return &keyOut{Body: keyRow(revoked)}, nil
}

func keyRow(key access.Key) KeyRow {
	return KeyRow{
		ID: string(key.ID), Name: key.Name, Prefix: key.Prefix, Environment: key.Environment, Tenant: string(key.Tenant), Scopes: key.Scopes,
		CreatedAt: momentOf(key.CreatedAt), LastUsedAt: moment(key.LastUsedAt), RevokedAt: moment(key.RevokedAt), ExpiresAt: moment(key.ExpiresAt),
	}
}
