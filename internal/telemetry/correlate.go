package telemetry

import (
	"context"
	"log/slog"
	"slices"
)

type correlationKey struct{}

// With returns ctx whose log lines carry these attributes beside those that it
// has already: the tenant, session and request that a line is about.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	return context.WithValue(ctx, correlationKey{}, slices.Concat(correlation(ctx), attrs))
}

func correlation(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(correlationKey{}).([]slog.Attr)
	return attrs
}
