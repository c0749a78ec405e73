package config

import (
	"fmt"
	"log/slog"
)

// Telemetry is how a process is seen.
type Telemetry struct {
	// LogLevel is the least level that is logged: debug, info, warn or error.
	// Defaults to info.
	LogLevel slog.Level `name:"log-level" help:"Least level that is logged: debug, info, warn or error." env:"FEIRA_LOG_LEVEL" default:"info"`
	// LogFormat is text or json. Defaults to json.
	LogFormat string `name:"log-format" help:"Form of log lines: text or json." env:"FEIRA_LOG_FORMAT" default:"json"`
	// OTLPEndpoint takes traces by OTLP over HTTP. Empty: none are sent.
	OTLPEndpoint string `name:"otlp-endpoint" help:"Where traces go, by OTLP over HTTP; none are sent when empty." env:"FEIRA_OTLP_ENDPOINT"`
	// MetricsAddress serves metrics for Prometheus. Empty: they are not served.
	MetricsAddress string `name:"metrics-address" help:"Address that serves metrics; not served when empty." env:"FEIRA_METRICS_ADDRESS"`
}

// Forms of log lines.
const (
	LogFormatText = "text"
	LogFormatJSON = "json"
)

// WithDefaults fills what was left out.
func (t Telemetry) WithDefaults() Telemetry {
	fill(&t.LogFormat, LogFormatJSON)
	return t
}

func (t Telemetry) faults() faults {
	var faults faults
	if t.LogFormat != LogFormatText && t.LogFormat != LogFormatJSON {
		faults.add("log_format", fmt.Errorf("is %q, want text or json", t.LogFormat))
	}
	if t.OTLPEndpoint != "" {
		faults.add("otlp_endpoint", checkURL(t.OTLPEndpoint, "https", "http"))
	}
	if t.MetricsAddress != "" {
		faults.add("metrics_address", checkAddress(t.MetricsAddress))
	}
	return faults
}
