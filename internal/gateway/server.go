package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/lifecycle"
)

const (
	idleTime    = 2 * time.Minute
	maxHeaders  = 32 << 10
	networkName = "tcp"
)

// ServerConfig says where a gateway is served.
type ServerConfig struct {
	Address string
	Handler http.Handler
	Logger  *slog.Logger
	// HeaderTime is how long a client may take to send the headers of a request.
	// Defaults to [DefaultClientTime].
	HeaderTime time.Duration
	// Ready hears, once, where the server listens, before it counts as started.
	Ready func(address string)
}

// NewServer makes the part that listens. A stop takes in nothing new and lets
// what is being answered go on, for as long as the stop may take; then the
// answers break off, and clients resume elsewhere.
func NewServer(config ServerConfig) lifecycle.Part {
	return lifecycle.NewRunner("gateway", func(fetch, work context.Context, ready func()) error {
		var listen net.ListenConfig
		listener, err := listen.Listen(fetch, networkName, config.Address)
		if err != nil {
			return fmt.Errorf("listening on %s: %w", config.Address, err)
		}
		server := &http.Server{
			Handler: config.Handler, ReadHeaderTimeout: cmp.Or(config.HeaderTime, DefaultClientTime), IdleTimeout: idleTime, MaxHeaderBytes: maxHeaders,
			BaseContext: func(net.Listener) context.Context { return work },
			ErrorLog:    slog.NewLogLogger(config.Logger.Handler(), slog.LevelDebug),
		}
		stopped := make(chan error, 1)
		release := context.AfterFunc(fetch, func() { stopped <- errors.Join(server.Shutdown(work), server.Close()) })
		defer release()
		config.Logger.InfoContext(fetch, "serving HTTP", "address", listener.Addr().String())
		if config.Ready != nil {
			config.Ready(listener.Addr().String())
		}
		ready()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving HTTP: %w", err)
		}
		return <-stopped
	})
}
