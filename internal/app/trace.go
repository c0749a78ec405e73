package app

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/workers/turns"
)

// tracing begins a span for each request that a worker takes, within the trace
// that the producer named, and marks the lines that are logged on the way.
// Names follow OpenTelemetry's conventions for generative AI, which are still
// in development.
func tracing(tel *telemetry.Telemetry) turns.TraceFunc {
	tracer := tel.TracerProvider().Tracer("github.com/feira-dev/feira/workers/turns")
	return func(ctx context.Context, head events.RequestHead) (context.Context, string, func(error)) {
		ctx = telemetry.With(ctx, slog.String("tenant", string(head.Tenant)),
			slog.String("session", string(head.Session)), slog.String("request", string(head.ID)))
		//nolint:spancheck // the function that is returned ends it
		ctx, span := tracer.Start(telemetry.Extract(ctx, head.Trace), "invoke_agent", trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(
				attribute.String("gen_ai.operation.name", "invoke_agent"),
				attribute.String("gen_ai.conversation.id", string(head.Session)),
				attribute.String("feira.tenant", string(head.Tenant)),
				attribute.String("feira.request", string(head.ID)),
			))
		//nolint:spancheck // as above
		return ctx, telemetry.Inject(ctx), func(err error) {
			if err != nil {
				span.SetStatus(codes.Error, err.Error())
			}
			span.End()
		}
	}
}
