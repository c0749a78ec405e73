package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/telemetry"
)

func newLogger(out *bytes.Buffer) *slog.Logger {
	return slog.New(telemetry.NewHandler(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}), telemetry.NewRedactor()))
}

func decode(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	delete(line, "time")
	return line
}

func TestHandlerIsAGoodHandler(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return telemetry.NewHandler(slog.NewJSONHandler(&out, nil), telemetry.NewRedactor())
	}, func(t *testing.T) map[string]any {
		t.Helper()
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line))
		return line
	})
}

func TestHandlerKeepsWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	newLogger(&out).With("tenant", events.TenantID("acme")).WarnContext(t.Context(), "retrying",
		"attempt", 2, "wait", time.Second, "ratio", 0.5, "late", true, "error", errors.New("HTTP 503"),
		"usage", events.TokenUsage{InputTokens: 512, OutputTokens: 17}, "input_tokens", 512, "nothing", nil,
		slog.Group("run", "sequence", uint64(7), "servers", []string{"stripe"}))
	want := map[string]any{
		"level": "WARN", "msg": "retrying", "tenant": "acme", "attempt": 2.0, "wait": 1e9, "ratio": 0.5, "late": true, "error": "HTTP 503",
		"usage": map[string]any{"input_tokens": 512.0, "output_tokens": 17.0}, "input_tokens": 512.0, "nothing": nil,
		"run": map[string]any{"sequence": 7.0, "servers": []any{"stripe"}},
	}
	require.Empty(t, cmp.Diff(want, decode(t, &out)))
}

func TestHandlerHidesValuesUnderTellingNames(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	newLogger(&out).WithGroup("call").InfoContext(t.Context(), "calling", "token", 1234, "refresh_tokens", []string{"a"},
		slog.Group("credentials", "user", "me", "age", 3), "header", map[string][]string{"Authorization": {"abc"}, "Accept": {"json"}})
	want := map[string]any{"level": "INFO", "msg": "calling", "call": map[string]any{
		"token": "[redacted]", "refresh_tokens": "[redacted]", "credentials": map[string]any{"user": "[redacted]", "age": "[redacted]"},
		"header": map[string]any{"Authorization": "[redacted]", "Accept": []any{"json"}},
	}}
	require.Empty(t, cmp.Diff(want, decode(t, &out)))
}

type rude struct{}

func (rude) Error() string { panic("rude") }

func TestHandlerSurvivesForeignValues(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	newLogger(&out).InfoContext(t.Context(), "calling", "a", rude{}, "b", func() {}, "c", make(chan int), "d", (*time.Time)(nil))
	line := decode(t, &out)
	require.Equal(t, "!PANIC in a value of type telemetry_test.rude", line["a"])
	require.Contains(t, line, "b")
	require.Contains(t, line, "c")
	require.Contains(t, line, "d")
}

func TestHandlerNamesTheSpan(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ctx, span := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "turn")
	defer span.End()
	newLogger(&out).DebugContext(ctx, "calling")
	require.Equal(t, span.SpanContext().TraceID().String(), decode(t, &out)["trace_id"])
	require.Equal(t, span.SpanContext().SpanID().String(), decode(t, &out)["span_id"])
}
