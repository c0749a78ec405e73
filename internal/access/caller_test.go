package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
)

func call(t *testing.T, change func(*access.MintParams)) access.Caller {
	t.Helper()
	key, secret := mint(t, change)
	caller, err := key.Admit(secret, moment())
	require.NoError(t, err)
	return caller
}

// Every key against every tenant: the wall that all others stand behind.
func TestReach(t *testing.T) {
	t.Parallel()
	const live, test = events.EnvironmentLive, events.EnvironmentTest
	for _, owner := range []tenant.ID{"", "acme", "loja"} {
		for _, own := range []events.Environment{live, test} {
			caller := call(t, func(p *access.MintParams) { p.Tenant, p.Environment = owner, own })
			require.Equal(t, owner == "", caller.Platform())
			for _, target := range []tenant.ID{"", "acme", "loja", "acm", "acmes"} {
				for _, environment := range []events.Environment{"", live, test} {
					want := target != "" && environment == own && (owner == "" || owner == target)
					require.Equal(t, want, caller.Reaches(target, environment), "key of %q %s to %q %s", owner, own, target, environment)
				}
			}
		}
	}
	var nobody access.Caller
	require.False(t, nobody.Reaches("acme", ""))
	require.False(t, nobody.Platform())
}

func TestScopesOfCallers(t *testing.T) {
	t.Parallel()
	reader := call(t, func(p *access.MintParams) { p.Scopes = []access.Scope{access.ScopeSessionsRead} })
	writer := call(t, func(p *access.MintParams) { p.Scopes = []access.Scope{access.ScopeSessionsWrite} })
	all := call(t, func(p *access.MintParams) { p.Scopes = []access.Scope{access.ScopeAll} })
	tenants := call(t, func(p *access.MintParams) { p.Scopes, p.Tenant = []access.Scope{access.ScopeAll}, "acme" })
	usual := call(t, nil)
	for _, scope := range append(access.Scopes(), "sessions:create", "", "sessions:*", "*:read") {
		_, err := access.ParseScopes([]string{string(scope)})
		known := err == nil
		require.Equal(t, scope == access.ScopeSessionsRead, reader.May(scope), scope)
		require.Equal(t, scope == access.ScopeSessionsWrite || scope == "sessions:create", writer.May(scope), scope)
		require.Equal(t, known, all.May(scope), scope)
		require.Equal(t, known && scope != access.ScopeTenantsWrite, tenants.May(scope), scope)
		require.Equal(t, known && scope != access.ScopeTenantsWrite && scope != access.ScopeKeysWrite, usual.May(scope), scope)
		require.False(t, access.Caller{}.May(scope), scope)
	}
	require.False(t, usual.May(access.ScopeAll))
}

func TestProjectOfTheKeyWins(t *testing.T) {
	t.Parallel()
	const own, asked access.Project = "prj_0000000000000000", "prj_1111111111111111"
	pinned := call(t, func(p *access.MintParams) { p.Project = own })
	require.Equal(t, own, pinned.Project(asked))
	require.Equal(t, own, pinned.Project(""))
	free := call(t, nil)
	require.Equal(t, asked, free.Project(asked))
	require.Empty(t, free.Project(""))
}

// Nobody hands out more than he has.
func TestGrants(t *testing.T) {
	t.Parallel()
	hour := moment().Add(time.Hour)
	all := []access.Scope{access.ScopeAll}
	own := func(p *access.MintParams) {
		p.Tenant, p.Project, p.Environment, p.ExpiresAt = "acme", "prj_0000000000000000", events.EnvironmentLive, hour
		p.Scopes = []access.Scope{access.ScopeKeysWrite, access.ScopeUsageRead}
	}
	caller := call(t, own)
	for name, test := range map[string]struct {
		change func(*access.MintParams)
		want   string
	}{
		"the same":          {func(*access.MintParams) {}, ""},
		"less":              {func(p *access.MintParams) { p.Scopes, p.ExpiresAt = p.Scopes[:1], hour.Add(-1) }, ""},
		"other scope":       {func(p *access.MintParams) { p.Scopes = []access.Scope{access.ScopeToolsExecute} }, "tools:execute"},
		"all scopes":        {func(p *access.MintParams) { p.Scopes = all }, `"*"`},
		"no end":            {func(p *access.MintParams) { p.ExpiresAt = time.Time{} }, "expires_at"},
		"later end":         {func(p *access.MintParams) { p.ExpiresAt = hour.Add(1) }, "expires_at"},
		"other tenant":      {func(p *access.MintParams) { p.Tenant = "loja" }, "tenant"},
		"all tenants":       {func(p *access.MintParams) { p.Tenant = "" }, "tenant"},
		"all projects":      {func(p *access.MintParams) { p.Project = "" }, "project"},
		"other environment": {func(p *access.MintParams) { p.Environment = events.EnvironmentTest }, "environment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, _ := mint(t, func(p *access.MintParams) { own(p); test.change(p) })
			err := caller.MayGrant(key)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, access.ErrExceeds)
			require.ErrorContains(t, err, test.want)
		})
	}
	key, _ := mint(t, func(p *access.MintParams) { p.Scopes, p.Tenant = all, "acme" })
	require.ErrorIs(t, access.Caller{}.MayGrant(key), access.ErrExceeds)
	require.NoError(t, call(t, func(p *access.MintParams) { p.Scopes = all }).MayGrant(key))
}
