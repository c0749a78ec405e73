package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// traceparent is the header of W3C Trace Context.
const traceparent = "traceparent"

// Inject returns the W3C traceparent of the span in ctx, for a header of a
// message; empty when there is none. The trace state of other vendors is not
// carried on.
func Inject(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Extract returns ctx within the trace of a W3C traceparent. One that cannot
// be read changes nothing: it comes from outside.
func Extract(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: parent})
}

func newTracers(ctx context.Context, config Config, redactor *Redactor, logger *slog.Logger) (*sdktrace.TracerProvider, error) {
	attributes := []attribute.KeyValue{attribute.String("service.name", config.Service)}
	if config.Version != "" {
		attributes = append(attributes, attribute.String("service.version", config.Version))
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(resource.NewSchemaless(attributes...))}
	if config.OTLPEndpoint != "" {
		endpoint, err := tracesEndpoint(config.OTLPEndpoint)
		if err != nil {
			return nil, err
		}
		sender, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
		if err != nil {
			return nil, fmt.Errorf("opening the trace exporter: %w", err)
		}
		options = append(options, sdktrace.WithBatcher(&exporter{next: sender, redactor: redactor, logger: logger}))
	}
	return sdktrace.NewTracerProvider(options...), nil
}

// tracesEndpoint gives a bare address the path that collectors listen on.
func tracesEndpoint(text string) (string, error) {
	address, err := url.Parse(text)
	if err != nil {
		return "", errors.New("opening the trace exporter: the endpoint is not a URL")
	}
	if strings.Trim(address.Path, "/") == "" {
		address.Path = "/v1/traces"
	}
	return address.String(), nil
}

// exporter redacts spans on their way out, and logs what cannot be sent: the
// library would tell a global handler.
type exporter struct {
	next     sdktrace.SpanExporter
	redactor *Redactor
	logger   *slog.Logger
}

// ExportSpans implements [sdktrace.SpanExporter].
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		clean[i] = cleanSpan{ReadOnlySpan: span, redactor: e.redactor}
	}
	if err := e.next.ExportSpans(ctx, clean); err != nil {
		e.logger.WarnContext(ctx, "traces are lost", "spans", len(spans), "error", err)
	}
	return nil
}

// Shutdown implements [sdktrace.SpanExporter].
func (e *exporter) Shutdown(ctx context.Context) error { return e.next.Shutdown(ctx) }

// cleanSpan is a span as others may see it.
type cleanSpan struct {
	sdktrace.ReadOnlySpan
	redactor *Redactor
}

// Name implements [sdktrace.ReadOnlySpan].
func (s cleanSpan) Name() string { return s.redactor.Scrub(s.ReadOnlySpan.Name()) }

// Attributes implements [sdktrace.ReadOnlySpan].
func (s cleanSpan) Attributes() []attribute.KeyValue {
	return s.clean(s.ReadOnlySpan.Attributes())
}

// Events implements [sdktrace.ReadOnlySpan].
func (s cleanSpan) Events() []sdktrace.Event {
	events := append([]sdktrace.Event(nil), s.ReadOnlySpan.Events()...)
	for i := range events {
		events[i].Name = s.redactor.Scrub(events[i].Name)
		events[i].Attributes = s.clean(events[i].Attributes)
	}
	return events
}

// Links implements [sdktrace.ReadOnlySpan].
func (s cleanSpan) Links() []sdktrace.Link {
	links := append([]sdktrace.Link(nil), s.ReadOnlySpan.Links()...)
	for i := range links {
		links[i].Attributes = s.clean(links[i].Attributes)
	}
	return links
}

// Status implements [sdktrace.ReadOnlySpan].
func (s cleanSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = s.redactor.Scrub(status.Description)
	return status
}

func (s cleanSpan) clean(attributes []attribute.KeyValue) []attribute.KeyValue {
	clean := make([]attribute.KeyValue, len(attributes))
	for i, attr := range attributes {
		clean[i] = attr
		switch {
		case Sensitive(string(attr.Key), attr.Value.Type() == attribute.INT64):
			clean[i].Value = attribute.StringValue(Redaction)
		case attr.Value.Type() == attribute.STRING:
			clean[i].Value = attribute.StringValue(s.redactor.Scrub(attr.Value.AsString()))
		case attr.Value.Type() == attribute.STRINGSLICE:
			texts := attr.Value.AsStringSlice()
			for j, text := range texts {
				texts[j] = s.redactor.Scrub(text)
			}
			clean[i].Value = attribute.StringSliceValue(texts)
		}
	}
	return clean
}
