package telemetry

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry takes the metrics of the process's parts. It already has those of
// the Go runtime and of the process.
func (t *Telemetry) Registry() *prometheus.Registry { return t.registry }

// MetricsHandler shows the registry to Prometheus. Label values are not
// redacted: a label is a name from a small set, never a value from outside.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		Registry: t.registry,
		ErrorLog: slog.NewLogLogger(t.logger.Handler(), slog.LevelError),
	})
}

func newRegistry() (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	for _, collector := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering runtime metrics: %w", err)
		}
	}
	return registry, nil
}
