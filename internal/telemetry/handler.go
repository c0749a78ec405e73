package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Handler is a [slog.Handler] that redacts what it hands on: messages, names,
// texts, errors, and values of any kind within groups, structs and maps.
type Handler struct {
	next     slog.Handler
	redactor *Redactor
	// hidden is set within a group whose name says secret.
	hidden bool
}

// NewHandler returns a handler in front of next. It also adds the attributes of
// [With] and the identifiers of the span that a line belongs to.
func NewHandler(next slog.Handler, redactor *Redactor) *Handler {
	return &Handler{next: next, redactor: redactor}
}

// Enabled implements [slog.Handler].
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *Handler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.Scrub(record.Message), record.PC)
	record.Attrs(func(attr slog.Attr) bool {
		clean.AddAttrs(h.attr(attr, h.hidden))
		return true
	})
	for _, attr := range correlation(ctx) {
		clean.AddAttrs(h.attr(attr, h.hidden))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		clean.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.next.Handle(ctx, clean)
}

// WithAttrs implements [slog.Handler].
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		clean[i] = h.attr(attr, h.hidden)
	}
	return &Handler{next: h.next.WithAttrs(clean), redactor: h.redactor, hidden: h.hidden}
}

// WithGroup implements [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{next: h.next.WithGroup(h.redactor.Scrub(name)), redactor: h.redactor, hidden: h.hidden || Sensitive(name, false)}
}

func (h *Handler) attr(attr slog.Attr, hidden bool) slog.Attr {
	if attr.Equal(slog.Attr{}) {
		return attr // handlers leave it out
	}
	attr.Value = attr.Value.Resolve()
	hidden = hidden || Sensitive(attr.Key, isNumber(attr.Value))
	attr.Key = h.redactor.Scrub(attr.Key)
	if attr.Value.Kind() == slog.KindGroup {
		members := attr.Value.Group()
		clean := make([]slog.Attr, len(members))
		for i, member := range members {
			clean[i] = h.attr(member, hidden)
		}
		attr.Value = slog.GroupValue(clean...)
		return attr
	}
	if hidden {
		attr.Value = slog.StringValue(Redaction)
		return attr
	}
	attr.Value = h.value(attr.Value)
	return attr
}

func isNumber(value slog.Value) bool {
	kind := value.Kind()
	return kind == slog.KindInt64 || kind == slog.KindUint64 || kind == slog.KindFloat64
}

func (h *Handler) value(value slog.Value) slog.Value {
	switch value.Kind() {
	case slog.KindString:
		return slog.StringValue(h.redactor.Scrub(value.String()))
	case slog.KindAny:
		return h.opaque(value.Any())
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindTime, slog.KindUint64:
		return value
	case slog.KindGroup, slog.KindLogValuer:
		return value // neither is left after Resolve and attr
	default:
		return slog.StringValue(h.redactor.Scrub(value.String()))
	}
}

// opaque reads a value of any type the way the JSON handler would, since only
// what has been read can be scrubbed. Methods of foreign values may panic; that
// must not cost the line.
func (h *Handler) opaque(value any) (clean slog.Value) {
	defer func() {
		if recover() != nil {
			clean = slog.StringValue(fmt.Sprintf("!PANIC in a value of type %T", value))
		}
	}()
	switch typed := value.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(h.redactor.Scrub(typed.Error()))
	case []byte:
		return slog.StringValue(h.redactor.Scrub(string(typed)))
	case fmt.Stringer:
		return slog.StringValue(h.redactor.Scrub(typed.String()))
	}
	data, err := json.Marshal(value)
	if err != nil {
		return slog.StringValue(h.redactor.Scrub(fmt.Sprintf("%+v", value)))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return slog.StringValue(h.redactor.Scrub(string(data)))
	}
	return slog.AnyValue(h.tree(tree))
}

func (h *Handler) tree(node any) any {
	switch typed := node.(type) {
	case string:
		return h.redactor.Scrub(typed)
	case []any:
		for i, member := range typed {
			typed[i] = h.tree(member)
		}
		return typed
	case map[string]any:
		clean := make(map[string]any, len(typed))
		for name, member := range typed {
			if _, number := member.(json.Number); Sensitive(name, number) {
				member = Redaction
			}
			clean[h.redactor.Scrub(name)] = h.tree(member)
		}
		return clean
	default:
		return node
	}
}
