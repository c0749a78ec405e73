package triggers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// FanConfig is what a [Fan] needs.
type FanConfig struct {
	// Book knows the triggers. Required; it has to have caught up.
	Book Book
	// Publisher stores deliveries. Required.
	Publisher Publisher
	// Logger hears of facts that cannot be told. Defaults to nobody.
	Logger *slog.Logger
}

// Fan turns facts into deliveries.
type Fan struct{ config FanConfig }

// NewFan makes a fan.
func NewFan(config FanConfig) (*Fan, error) {
	if config.Book == nil || config.Publisher == nil {
		return nil, errors.New("triggers: fan: Book or Publisher is missing")
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Fan{config: config}, nil
}

// Handle has the triggers of their tenants told of a batch of SESSIONS. It
// returns nil when every delivery that follows from it is stored, and only then
// may the batch be acknowledged. A batch that is handled again makes the same
// deliveries, which the broker stores once.
func (f *Fan) Handle(ctx context.Context, batch []events.Message) error {
	var out []events.Message
	for _, message := range batch {
		out = append(out, f.of(ctx, message)...)
	}
	if len(out) == 0 {
		return nil
	}
	if err := f.config.Publisher.Publish(ctx, out); err != nil {
		return fmt.Errorf("storing deliveries: %w", err)
	}
	return nil
}

// of are the deliveries of one message. One that cannot be read makes none: the
// meter, which reads the same stream, makes it a dead letter.
func (f *Fan) of(ctx context.Context, message events.Message) []events.Message {
	tenant, session, err := events.SubjectSession(message.Subject)
	if err != nil {
		return nil
	}
	all := f.config.Book.Of(tenant)
	if len(all) == 0 {
		return nil
	}
	record, err := events.Decode(message)
	if err != nil || record.Tenant != tenant || record.Session != session {
		return nil
	}
	event, ok := trigger.FromRecord(record)
	if !ok {
		return nil
	}
	var out []events.Message
	for _, one := range all {
		if !one.Hears(event) {
			continue
		}
		made, err := trigger.Delivery(one, event)
		if err != nil {
			f.config.Logger.ErrorContext(ctx, "event cannot be told", slog.String("tenant", string(tenant)),
				slog.String("trigger", string(one.ID)), slog.Uint64("sequence", message.Sequence), slog.Any("error", err))
			continue
		}
		out = append(out, made)
	}
	return out
}
