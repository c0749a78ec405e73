package triggers

import (
	"context"
	"log/slog"
	"sync"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/trigger"
)

// Reasons of dead letters.
const (
	reasonGivenUp    = "gave_up"
	reasonExpired    = "expired"
	reasonStopped    = "stopped"
	reasonBacklog    = "backlog_full"
	reasonUnreadable = "unreadable"
	// reasonDeleted makes no letter: whoever deletes a trigger wants none.
	reasonDeleted = "deleted"
)

func details() map[string]string {
	return map[string]string{
		reasonGivenUp:    "the endpoint did not take it in three days of attempts",
		reasonExpired:    "the trigger was paused, or its endpoint down, for longer than three days",
		reasonStopped:    "the endpoint has said that it is gone, which stopped the trigger",
		reasonBacklog:    "too many deliveries are waiting for the trigger",
		reasonUnreadable: "the delivery cannot be read",
	}
}

// graves takes deliveries out of the stream that are given up, one after the
// other, beside the loop: there may be many. A delivery is buried before it is
// removed, so that it is never nowhere.
type graves struct {
	config Config
	some   chan struct{} // of one place

	mu   sync.Mutex
	dead []corpse
}

type corpse struct {
	trigger.Item
	reason string
}

func newGraves(config Config) *graves {
	return &graves{config: config, some: make(chan struct{}, 1)}
}

func (g *graves) add(reason string, items ...trigger.Item) {
	if len(items) == 0 {
		return
	}
	g.mu.Lock()
	for _, item := range items {
		g.dead = append(g.dead, corpse{Item: item, reason: reason})
	}
	g.mu.Unlock()
	select {
	case g.some <- struct{}{}:
	default:
	}
}

func (g *graves) take() []corpse {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.dead
	g.dead = nil
	return taken
}

// dig works until ctx ends. What is left then is still in the stream, and found
// by whoever delivers next.
func (g *graves) dig(ctx context.Context) {
	for {
		select {
		case <-g.some:
		case <-ctx.Done():
			return
		}
		for _, one := range g.take() {
			for {
				err := g.bury(ctx, one)
				if ctx.Err() != nil {
					return
				}
				if err == nil {
					break
				}
				g.config.Logger.WarnContext(ctx, "giving up a delivery", append(about(one.Item), slog.Any("error", err))...)
				if !lifecycle.Pause(ctx, g.config.Retry) {
					return
				}
			}
		}
	}
}

func (g *graves) bury(ctx context.Context, one corpse) error {
	if one.reason != reasonDeleted {
		message, found, err := g.config.Pending.Read(ctx, one.Sequence)
		if err != nil || !found {
			return err
		}
		if err := g.config.Cemetery.Bury(ctx, one.Key.Tenant, letter(message, one.reason, detailOf(one.reason))); err != nil {
			return err
		}
		g.config.Observer.GivenUp(one.reason)
		g.config.Logger.InfoContext(ctx, "delivery is given up", append(about(one.Item), slog.String("reason", one.reason))...)
	}
	return g.config.Pending.Remove(ctx, one.Sequence)
}
