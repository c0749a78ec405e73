package upkeep

import (
	"context"
	"time"
)

// every looks at once and then every so often, until ctx ends.
func every(ctx context.Context, pause time.Duration, look func()) {
	next := time.NewTicker(pause)
	defer next.Stop()
	for {
		look()
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
	}
}
