package access_test

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

func TestMintFillsWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	key, secret := mint(t, nil)
	_, err := access.ParseID(string(key.ID))
	require.NoError(t, err)
	want := access.Key{
		ID: key.ID, Hash: secret.Hash(), Name: "shop", Prefix: secret.Prefix(), Environment: events.EnvironmentTest,
		Scopes: []access.Scope{
			"connections:read", "connections:write", "sessions:read", "sessions:write", "tools:execute", "triggers:read", "triggers:write", "usage:read",
		},
		CreatedAt: moment(),
	}
	require.Empty(t, cmp.Diff(want, key))
	other, _ := mint(t, nil)
	require.NotEqual(t, key.ID, other.ID)
	require.NotEqual(t, key.Hash, other.Hash)
}

// What is stored of a key neither names its hash nor when it was used.
func TestKeysAreStoredByTheirNames(t *testing.T) {
	t.Parallel()
	key, _ := mint(t, func(p *access.MintParams) {
		p.Tenant, p.Project, p.Scopes = "tenant_acme", "prj_0123456789abcdef", []access.Scope{access.ScopeAll}
	})
	key.LastUsedAt = moment()
	data, err := json.Marshal(key)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"`+string(key.ID)+`","name":"shop","prefix":"`+key.Prefix+`","environment":"test",
		"tenant":"tenant_acme","project":"prj_0123456789abcdef","scopes":["*"],"created_at":"2026-11-24T12:00:00Z"}`, string(data))
}

func TestKeysHoldToTheirRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*access.MintParams)
		want   string // empty: it is good
	}{
		"shortest name":         {func(p *access.MintParams) { p.Name = "n" }, ""},
		"longest name":          {func(p *access.MintParams) { p.Name = strings.Repeat("ç", 128) }, ""},
		"no name":               {func(p *access.MintParams) { p.Name = "" }, "name has 0 characters"},
		"name too long":         {func(p *access.MintParams) { p.Name = strings.Repeat("ç", 129) }, "name has 129 characters"},
		"name with a line feed": {func(p *access.MintParams) { p.Name = "a\nb" }, "name has a control character"},
		"name of no UTF-8":      {func(p *access.MintParams) { p.Name = "a\xff" }, "name has a control character or is no UTF-8"},
		"environment":           {func(p *access.MintParams) { p.Environment = "prod" }, `environment is "prod"`},
		"tenant":                {func(p *access.MintParams) { p.Tenant = "a.b" }, "tenant"},
		"project":               {func(p *access.MintParams) { p.Project = "prj_short" }, `project is "prj_short"`},
		"project too long":      {func(p *access.MintParams) { p.Project = "prj_0123456789abcdefg" }, "project is"},
		"unknown scope":         {func(p *access.MintParams) { p.Scopes = []access.Scope{"all"} }, `scopes[0] is "all"`},
		"scope twice": {func(p *access.MintParams) {
			p.Scopes = []access.Scope{access.ScopeUsageRead, access.ScopeUsageRead}
		}, "listed twice"},
		"platform's scope of a tenant": {func(p *access.MintParams) {
			p.Tenant, p.Scopes = "acme", []access.Scope{access.ScopeTenantsWrite}
		}, "scopes[0] is tenants:write"},
		"no creation":        {func(p *access.MintParams) { p.CreatedAt = time.Time{} }, "created_at is missing"},
		"end at creation":    {func(p *access.MintParams) { p.ExpiresAt = moment() }, "expires_at is not after"},
		"end after creation": {func(p *access.MintParams) { p.ExpiresAt = moment().Add(1) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params := access.MintParams{Name: "shop", CreatedAt: moment()}
			test.change(&params)
			_, secret, err := access.Mint(rand.Reader, params)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, access.ErrInvalid)
			require.ErrorContains(t, err, test.want)
			require.Empty(t, secret.Reveal())
		})
	}
	key, _ := mint(t, nil)
	key.ID, key.Prefix, key.Scopes = "key_1", "csk_live_abcd", nil
	err := key.Validate()
	for _, want := range []string{"id is not key_", "prefix does not begin", "scopes is empty"} {
		require.ErrorContains(t, err, want)
	}
}

func TestScopesAreRead(t *testing.T) {
	t.Parallel()
	scopes, err := access.ParseScopes([]string{" usage:read", "sessions:create", "sessions:write"})
	require.NoError(t, err)
	require.Equal(t, []access.Scope{access.ScopeSessionsWrite, access.ScopeUsageRead}, scopes)
	_, err = access.ParseScopes([]string{"*", "tools:run"})
	require.ErrorIs(t, err, access.ErrInvalid)
	require.ErrorContains(t, err, `scopes[1] is "tools:run"`)
	for _, scope := range access.Scopes() {
		_, err := access.ParseScopes([]string{string(scope)})
		require.NoError(t, err)
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	key, secret := mint(t, func(p *access.MintParams) { p.ExpiresAt = moment().Add(time.Hour) })
	_, other := mint(t, nil)
	revoked := key
	revoked.RevokedAt = moment().Add(24 * time.Hour) // by a clock that is ahead
	for name, test := range map[string]struct {
		key    access.Key
		secret access.Secret
		at     time.Duration
		want   error
	}{
		"good":             {key, secret, 0, nil},
		"last moment":      {key, secret, time.Hour - 1, nil},
		"expired":          {key, secret, time.Hour, access.ErrExpired},
		"revoked":          {revoked, secret, 0, access.ErrRevoked},
		"another's secret": {key, other, 0, access.ErrMismatch},
		"no secret":        {key, access.Secret{}, 0, access.ErrMismatch},
		"no key":           {access.Key{}, access.Secret{}, 0, access.ErrMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caller, err := test.key.Admit(test.secret, moment().Add(test.at))
			require.ErrorIs(t, err, test.want)
			if test.want != nil {
				require.Equal(t, access.Caller{}, caller)
				return
			}
			require.Equal(t, key, caller.Key())
		})
	}
}

func TestHashesAreReadStrictly(t *testing.T) {
	t.Parallel()
	key, _ := mint(t, nil)
	text := key.Hash.String()
	for _, wrong := range []string{"", text[1:], text + "00", strings.ToUpper("ab" + text[2:]), "zz" + text[2:]} {
		_, err := access.ParseHash(wrong)
		require.ErrorIs(t, err, access.ErrInvalid, wrong)
	}
}
