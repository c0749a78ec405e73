package turns

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// ListenerConfig is what a listener is made of.
type ListenerConfig struct {
	Orders Orders
	// Obey carries out an order on the runs of this process and counts those
	// that it was for.
	Obey   func(tenant events.TenantID, session events.SessionID, order events.Control) int
	Logger *slog.Logger
}

// NewListener makes the part that hears orders to running sessions. It is to
// stop after the runs have: until then an order may be for one of them.
func NewListener(cfg ListenerConfig) lifecycle.Part {
	return lifecycle.NewRunner("worker listener", func(fetch, _ context.Context, ready func()) error {
		err := cfg.Orders.WatchControl(fetch, func(tenant events.TenantID, session events.SessionID, order events.Control) {
			if n := cfg.Obey(tenant, session, order); n > 0 {
				cfg.Logger.InfoContext(fetch, "cancelling what runs", "tenant", tenant, "session", session, "request", order.Request, "runs", n)
			}
		})
		if err != nil {
			return fmt.Errorf("listening to orders: %w", err)
		}
		ready()
		<-fetch.Done()
		return nil
	})
}
