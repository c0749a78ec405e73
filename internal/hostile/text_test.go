package hostile_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/hostile"
)

func TestCleanTextIsReadAsItStands(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		clean := hostile.Clean(text)
		require.True(t, utf8.ValidString(clean))
		require.Equal(t, clean, hostile.Clean(clean))
		for _, r := range clean {
			require.False(t, unicode.IsControl(r) && r != '\n' && r != '\t', "%U", r)
			require.False(t, unicode.Is(unicode.Bidi_Control, r), "%U", r)
		}
	})
	require.Equal(t, "pay\n1\t2", hostile.Clean("p\x1bay\n1\t2\u202e\U000E0041\uFEFF"))
}

func TestClippedTextFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "limit")
		clipped := hostile.Clip(text, limit)
		require.LessOrEqual(t, len(clipped), limit)
		require.True(t, utf8.ValidString(clipped))
		require.True(t, clipped == text || strings.HasPrefix(text, strings.TrimSuffix(clipped, "…")))
	})
	require.Equal(t, "abc", hostile.Clip("abc", 3))
	require.Equal(t, "a…", hostile.Clip("abcde", 4))
}

func TestFormsOfSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"sk_live_abcDEF123", "rk_test_1", "whsec_abc/+=", "csk_test_x-1", "$aact_hmlg_000:abc", "eyJhbGciOiJI.eyJzdWIiOiIx.sig",
		"Bearer abcdefghijklmnop", "Basic YWxhZGRpbjpvcGVu", "/instances/3C01/token/9F", "bearer  ABCDEFGHIJKLMNOP",
	} {
		require.Equal(t, "a "+hostile.Redacted+" b", hostile.ScrubForms("a "+secret+" b"), secret)
	}
	for _, plain := range []string{"bearer of news", "basic plan", "sk_liver", "eyJ.short", "/instances/list"} {
		require.Equal(t, plain, hostile.ScrubForms(plain))
	}
	require.Equal(t, "x"+hostile.Redacted, hostile.Shown("\x00xsk_live_"+strings.Repeat("a", 100)))
	require.Len(t, hostile.Shown(strings.Repeat("n", 100)), 64)
}
