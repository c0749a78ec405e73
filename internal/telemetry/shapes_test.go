package telemetry_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/telemetry"
)

// A secret is removed from whatever a program makes of a text that holds it.
func TestASecretIsRemovedInEveryShape(t *testing.T) {
	t.Parallel()
	escapes := regexp.MustCompile(`%[0-9A-F]{2}`)
	encoders := map[string]func(string) string{
		"plain": func(text string) string { return text }, "query": url.QueryEscape, "path": url.PathEscape,
		"lower query":      func(text string) string { return escapes.ReplaceAllStringFunc(url.QueryEscape(text), strings.ToLower) },
		"query of a path":  func(text string) string { return url.QueryEscape(url.PathEscape(text)) },
		"base64 of a path": func(text string) string { return base64.StdEncoding.EncodeToString([]byte(url.PathEscape(text))) },
		"base64":           func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
		"base64url":        func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) },
		"hex":              func(text string) string { return hex.EncodeToString([]byte(text)) },
		"JSON": func(text string) string {
			data, _ := json.Marshal(text)
			return string(data)
		},
		"JSON of PHP": func(text string) string {
			data, _ := json.Marshal(text)
			return strings.ReplaceAll(string(data), "/", `\/`)
		},
	}
	for name, encode := range encoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				// What no known form would remove.
				secret := "q/" + rapid.StringMatching(`[a-z0-9&<+]{6,20}`).Draw(t, "secret")
				text := rapid.StringMatching(`[A-Z .:]{0,9}`).Draw(t, "before") + secret + rapid.StringMatching(`[ .:]{0,9}`).Draw(t, "after")
				clean := telemetry.NewRedactor(secret).Scrub(encode(text))
				require.Contains(t, clean, telemetry.Redaction, encode(text))
				for _, shape := range telemetry.Shapes(secret) {
					require.NotContains(t, clean, shape)
				}
			})
		})
	}
}

// A short secret is removed as it is, and base64 of other texts left alone.
func TestShortSecretsShredNothing(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"secret7"}, telemetry.Shapes("secret7"))
	require.Greater(t, len(telemetry.Shapes("secret78")), 4)
}
