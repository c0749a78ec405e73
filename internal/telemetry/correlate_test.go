package telemetry_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/telemetry"
)

func TestLinesCarryWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: &said})
	require.NoError(t, err)
	outer := telemetry.With(t.Context(), slog.String("tenant", "tenant_acme"))
	inner := telemetry.With(outer, slog.String("session", "ses_1"), slog.String("api_key", "canary-value"))
	tel.Logger().InfoContext(inner, "served")
	require.Contains(t, said.String(), `"tenant":"tenant_acme","session":"ses_1"`)
	require.NotContains(t, said.String(), "canary-value", "what is about a line is redacted like the line")
	said.Reset()
	tel.Logger().InfoContext(outer, "served")
	require.NotContains(t, said.String(), "session", "an inner context adds nothing to the outer one")
}
