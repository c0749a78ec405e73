package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/config"
)

const canary = "canary-5f1c"

func TestRedactedNeverPrints(t *testing.T) {
	t.Parallel()
	secret := config.Redacted(canary)
	holder := config.Default()
	holder.Model.Key, holder.NATS.Password, holder.Ledger.DSN = secret, secret, secret
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s", "%U"} {
		require.NotContains(t, fmt.Sprintf(verb, secret), canary, verb)
		require.NotContains(t, fmt.Sprintf(verb, &secret), canary, verb)
		require.NotContains(t, fmt.Sprintf(verb, holder), canary, verb)
		require.NotContains(t, fmt.Sprintf(verb, []config.Redacted{secret}), canary, verb)
		require.NotContains(t, fmt.Sprintf(verb, secret), fmt.Sprintf("%x", canary), verb)
	}
	data, err := json.Marshal(holder)
	require.NoError(t, err)
	require.NotContains(t, string(data), canary)
	require.Contains(t, string(data), `"Key":"[redacted]"`)
	data, err = yaml.Marshal(holder)
	require.NoError(t, err)
	require.NotContains(t, string(data), canary)
	require.Contains(t, string(data), "[redacted]")
}

func TestRedactedNeverLogs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		model := config.Model{Key: canary}
		slog.New(handler).InfoContext(t.Context(), "starting", "key", model.Key, "model", model, "model_by_name", &model)
	}
	require.NotContains(t, out.String(), canary)
	require.Contains(t, out.String(), "[redacted]")
}

func TestRedactedReadsText(t *testing.T) {
	t.Parallel()
	var holder struct{ Key config.Redacted }
	require.NoError(t, json.Unmarshal([]byte(`{"Key":"`+canary+`"}`), &holder))
	require.Equal(t, canary, holder.Key.Reveal())
	require.ErrorIs(t, holder.Key.UnmarshalText([]byte("[redacted]")), config.ErrRedacted)
	require.Equal(t, canary, holder.Key.Reveal())
}

func TestRedactedShowsThatItIsNotSet(t *testing.T) {
	t.Parallel()
	require.Empty(t, fmt.Sprint(config.Redacted("")))
	require.Equal(t, `config.Redacted("[redacted]")`, fmt.Sprintf("%#v", config.Redacted(canary)))
	require.Equal(t, `"[redacted]"`, fmt.Sprintf("%q", config.Redacted(canary)))
}
