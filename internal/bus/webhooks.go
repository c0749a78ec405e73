package bus

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Webhooks is where providers' webhooks wait for their routing. It is safe for
// concurrent use.
type Webhooks struct{ bus *Bus }

// Webhooks returns the stream of webhooks.
func (b *Bus) Webhooks() *Webhooks { return &Webhooks{bus: b} }

// Publish stores a webhook, and returns nil only when the broker has said so.
// After an error it may be stored all the same: the sender sends it again, and
// it counts once. A tenant's server with as many waiting as the broker keeps is
// [ErrBacklogFull].
func (w *Webhooks) Publish(ctx context.Context, webhook events.Webhook) error {
	message := webhook.Message()
	_, err := w.bus.store(ctx, outbound(message))
	switch {
	case isSubjectFull(err):
		return fmt.Errorf("publishing to %s: %w", message.Subject, ErrBacklogFull)
	case err != nil:
		return fmt.Errorf("publishing to %s: %w", message.Subject, err)
	}
	return nil
}
