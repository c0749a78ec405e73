// Package telemetry is how a process is seen: logs, traces and metrics.
//
// It owns the logger, the tracer provider and the metrics registry of one
// process, and the knowledge of what a secret looks like. Nothing of it is
// global: what [New] returns is handed on.
//
// It promises that no secret of a known form, no secret that it was told, and
// no value of an attribute named like a secret leaves the process by a log line
// or a span. A form that it does not know passes when it is neither told nor so
// named: redaction is the second wall, not the first.
//
// It does not serve metrics or decide what is worth a span; a collector that
// is out of reach costs traces and a warning, never work.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Format is the form of log lines.
type Format string

// Formats.
const (
	FormatText Format = "text"
	FormatJSON Format = "json"
)

// ErrInvalidConfig occurs when a [Config] cannot be used; the text names the
// field.
var ErrInvalidConfig = errors.New("invalid telemetry configuration")

// Config says what is to be seen, and where.
type Config struct {
	// Output takes the log lines. Required.
	Output io.Writer
	// Level is the least level that is logged; a [slog.LevelVar] changes it at
	// run time. Defaults to info.
	Level slog.Leveler
	// Format is the form of log lines. Defaults to json.
	Format Format
	// OTLPEndpoint is the URL of a collector that takes traces by OTLP over
	// HTTP. Empty: spans get identifiers, and go nowhere.
	OTLPEndpoint string
	// Service and Version name the process in traces. Service defaults to
	// "feira".
	Service string
	Version string
	// Secrets are removed wherever they turn up, whatever they look like: the
	// process's own keys and passwords. Texts under 6 bytes are passed over.
	Secrets []string
}

func (c Config) withDefaults() Config {
	if c.Level == nil {
		c.Level = slog.LevelInfo
	}
	if c.Format == "" {
		c.Format = FormatJSON
	}
	if c.Service == "" {
		c.Service = "feira"
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	if c.Output == nil {
		faults = append(faults, errors.New("output is missing"))
	}
	if c.Format != "" && c.Format != FormatText && c.Format != FormatJSON {
		faults = append(faults, fmt.Errorf("format is %q, want text or json", c.Format))
	}
	if c.OTLPEndpoint != "" {
		address, err := url.Parse(c.OTLPEndpoint)
		if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
			faults = append(faults, errors.New("otlp endpoint is no http or https URL"))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidConfig, errors.Join(faults...))
}

// Telemetry is the logger, tracer provider and registry of one process. It is
// safe for concurrent use.
type Telemetry struct {
	logger   *slog.Logger
	redactor *Redactor
	tracers  *sdktrace.TracerProvider
	registry *prometheus.Registry
}

// New opens the telemetry of a process. It reaches nothing: a collector that is
// away is found out by the first spans.
func New(ctx context.Context, config Config) (*Telemetry, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	redactor := NewRedactor(config.Secrets...)
	logger := newLogger(config, redactor)
	tracers, err := newTracers(ctx, config, redactor, logger)
	if err != nil {
		return nil, err
	}
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	return &Telemetry{logger: logger, redactor: redactor, tracers: tracers, registry: registry}, nil
}

// Logger writes redacted lines. Lines within a span carry its identifiers.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Redactor knows the secrets of the configuration as well as the known forms.
func (t *Telemetry) Redactor() *Redactor { return t.redactor }

// TracerProvider makes spans, which are redacted on their way out.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// Shutdown sends what is buffered. Spans that end later are lost; logger and
// registry go on.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if err := t.tracers.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutting traces down: %w", err)
	}
	return nil
}

func newLogger(config Config, redactor *Redactor) *slog.Logger {
	options := &slog.HandlerOptions{Level: config.Level}
	var handler slog.Handler = slog.NewJSONHandler(config.Output, options)
	if config.Format == FormatText {
		handler = slog.NewTextHandler(config.Output, options)
	}
	return slog.New(NewHandler(handler, redactor))
}
