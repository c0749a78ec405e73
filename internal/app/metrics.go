package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/telemetry"
)

// newMetrics makes the part that serves a process's metrics to Prometheus.
func newMetrics(address string, tel *telemetry.Telemetry) lifecycle.Part {
	return lifecycle.NewRunner("metrics", func(fetch, work context.Context, ready func()) error {
		var listen net.ListenConfig
		listener, err := listen.Listen(fetch, "tcp", address)
		if err != nil {
			return fmt.Errorf("listening for metrics on %s: %w", address, err)
		}
		routes := http.NewServeMux()
		routes.Handle("GET /metrics", tel.MetricsHandler())
		server := &http.Server{Handler: routes, ReadHeaderTimeout: 5 * time.Second}
		stop := context.AfterFunc(fetch, func() { _ = server.Shutdown(work) }) // Serve tells how it ended
		defer stop()
		tel.Logger().InfoContext(fetch, "serving metrics", "address", listener.Addr().String())
		ready()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving metrics: %w", err)
		}
		return nil
	})
}
