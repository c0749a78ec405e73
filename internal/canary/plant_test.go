package canary

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/provider"
)

// garden holds the secrets of a run, and what they are called in a find.
type garden struct{ secrets []Secret }

// plant makes a secret that is nowhere else. Its signs are written in more than
// one way, and it has no form that anybody would know for a secret.
func (g *garden) plant(name, signs string) string {
	value := "Cn" + strings.ToLower(rand.Text()[:10]) + signs + strings.ToLower(rand.Text()[:8])
	g.secrets = append(g.secrets, Secret{Name: name, Value: value})
	return value
}

// credential plants a secret in every field of a server's credential.
func (g *garden) credential(t *testing.T, tenant, server string) map[string]string {
	t.Helper()
	manifests, err := provider.Embedded()
	require.NoError(t, err)
	at := slices.IndexFunc(manifests, func(m provider.Manifest) bool { return m.ID == server })
	require.GreaterOrEqual(t, at, 0)
	fields := map[string]string{}
	for _, field := range manifests[at].Credential.Fields {
		name := tenant + "'s " + field.Name + " of " + server
		switch {
		case field.Name == provider.FieldExpiresAt:
			fields[field.Name] = "2099-01-01T00:00:00Z"
		case field.Name == provider.FieldRenewingUntil: // Feira's own
		case !field.Secret: // It says who, and opens nothing.
			fields[field.Name] = strings.ToLower(rand.Text()[:12])
		case server == "z-api": // It goes into a path.
			fields[field.Name] = g.plant(name, "+&=~%")
		default:
			fields[field.Name] = g.plant(name, "/+=~&<%")
		}
	}
	return fields
}

// without are those whose names hold none of the words.
func without(secrets []Secret, words ...string) []Secret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s Secret) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(s.Name, word) })
	})
}

// requireInTheOpen: where secrets are at home, the scanner sees each of them,
// so that it would see them elsewhere too.
func requireInTheOpen(t *testing.T, secrets []Secret, text string) {
	t.Helper()
	scanner, err := New(secrets)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, find := range scanner.Text("the providers' requests", text) {
		seen[find.Secret] = true
	}
	for _, secret := range secrets {
		require.True(t, seen[secret.Name], "%s was never sent", secret.Name)
	}
	require.Len(t, slices.Collect(maps.Keys(seen)), len(secrets))
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}
