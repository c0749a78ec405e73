package telemetry_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/feira-dev/feira/internal/telemetry"
)

const canary = "canary5f1c9a"

func open(t *testing.T, config telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	opened, err := telemetry.New(t.Context(), config)
	require.NoError(t, err)
	return opened
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := telemetry.New(t.Context(), telemetry.Config{Format: "xml", OTLPEndpoint: "collector:4318"})
	require.ErrorIs(t, err, telemetry.ErrInvalidConfig)
	require.ErrorContains(t, err, "output is missing")
	require.ErrorContains(t, err, `format is "xml"`)
	require.ErrorContains(t, err, "otlp endpoint")
}

func TestLoggerFollowsItsConfig(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var level slog.LevelVar
	seen := open(t, telemetry.Config{Output: &out, Format: telemetry.FormatText, Level: &level, Secrets: []string{canary}})
	defer func() { require.NoError(t, seen.Shutdown(t.Context())) }()
	seen.Logger().DebugContext(t.Context(), "not yet")
	require.Empty(t, out.String())
	level.Set(slog.LevelDebug)
	seen.Logger().DebugContext(t.Context(), "now", "error", errors.New("refused: "+canary))
	require.Contains(t, out.String(), `msg=now error="refused: [redacted]"`)
	require.Equal(t, "[redacted]", seen.Redactor().Scrub(canary))
}

func TestSpansWithoutACollectorHaveIdentifiers(t *testing.T) {
	t.Parallel()
	seen := open(t, telemetry.Config{Output: io.Discard})
	ctx, span := seen.TracerProvider().Tracer("test").Start(t.Context(), "turn")
	defer span.End()
	require.True(t, span.SpanContext().IsValid())

	parent := telemetry.Inject(ctx)
	require.Regexp(t, `^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`, parent)
	there := trace.SpanContextFromContext(telemetry.Extract(t.Context(), parent))
	require.Equal(t, span.SpanContext().TraceID(), there.TraceID())
	require.True(t, there.IsRemote())
	_, child := seen.TracerProvider().Tracer("test").Start(telemetry.Extract(t.Context(), parent), "run")
	defer child.End()
	require.Equal(t, span.SpanContext().TraceID(), child.SpanContext().TraceID())
	require.NoError(t, seen.Shutdown(t.Context()))
}

func TestTraceparentFromOutsideIsNotTrusted(t *testing.T) {
	t.Parallel()
	require.Empty(t, telemetry.Inject(t.Context()))
	for _, parent := range []string{"", "garbage", "00-00000000000000000000000000000000-0000000000000000-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"} {
		require.False(t, trace.SpanContextFromContext(telemetry.Extract(t.Context(), parent)).IsValid(), parent)
	}
}

// collector keeps what an OTLP collector is sent.
type collector struct {
	mu   sync.Mutex
	path string
	body bytes.Buffer
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.path = r.URL.Path
	_, _ = io.Copy(&c.body, r.Body)
	w.WriteHeader(http.StatusOK)
}

func TestSpansReachTheCollectorWithoutSecrets(t *testing.T) {
	t.Parallel()
	var sink collector
	server := httptest.NewServer(&sink)
	defer server.Close()
	seen := open(t, telemetry.Config{Output: io.Discard, OTLPEndpoint: server.URL, Service: "stall", Version: "1.2.3", Secrets: []string{canary}})
	_, span := seen.TracerProvider().Tracer("test").Start(t.Context(), "call sk_live_"+canary, trace.WithAttributes(
		attribute.String("url", "https://me:"+canary+"@host/ok"), attribute.String("api_key", canary), attribute.StringSlice("list", []string{canary}),
		attribute.Int("input_tokens", 512), attribute.String("tenant", "acme")),
		trace.WithLinks(trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}), Attributes: []attribute.KeyValue{attribute.String("a", canary)}}))
	span.RecordError(errors.New("whsec_" + canary))
	span.AddEvent("Bearer " + canary)
	span.SetStatus(codes.Error, "told "+canary)
	span.End()
	require.NoError(t, seen.Shutdown(t.Context()))

	sink.mu.Lock()
	defer sink.mu.Unlock()
	require.Equal(t, "/v1/traces", sink.path)
	for _, present := range []string{"stall", "1.2.3", "input_tokens", "acme", "call sk_live_[redacted]", "Bearer [redacted]", "told [redacted]"} {
		require.Contains(t, sink.body.String(), present)
	}
	require.NotContains(t, sink.body.String(), canary)
}

func TestLostTracesAreLoggedAndHarmless(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer server.Close()
	var out bytes.Buffer
	seen := open(t, telemetry.Config{Output: &out, OTLPEndpoint: server.URL})
	_, span := seen.TracerProvider().Tracer("test").Start(t.Context(), "turn")
	span.End()
	require.NoError(t, seen.Shutdown(t.Context()))
	require.Contains(t, out.String(), `"msg":"traces are lost","spans":1`)
}

func TestMetricsAreServedFromTheirOwnRegistry(t *testing.T) {
	t.Parallel()
	seen, other := open(t, telemetry.Config{Output: io.Discard}), open(t, telemetry.Config{Output: io.Discard})
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "feira_turns_total", Help: "Turns."})
	require.NoError(t, seen.Registry().Register(counter))
	counter.Add(3)

	scrape := func(of *telemetry.Telemetry) string {
		answer := httptest.NewRecorder()
		of.MetricsHandler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
		require.Equal(t, http.StatusOK, answer.Code)
		return answer.Body.String()
	}
	require.Contains(t, scrape(seen), "feira_turns_total 3")
	require.Contains(t, scrape(seen), "go_goroutines")
	require.NotContains(t, scrape(other), "feira_turns_total")
}
