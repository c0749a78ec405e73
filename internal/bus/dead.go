package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Dead keeps dead letters. It is safe for concurrent use.
type Dead struct{ bus *Bus }

// Dead returns the stream of dead letters.
func (b *Bus) Dead() *Dead { return &Dead{bus: b} }

// Bury stores a dead letter. Burying the same message again within the hour
// changes nothing. A body that is too large to keep is left out; the letter
// tells its size.
func (d *Dead) Bury(ctx context.Context, tenant events.TenantID, letter events.LetterDied) error {
	id := letter.Stream + "/" + strconv.FormatUint(letter.Sequence, 10)
	envelope := events.Envelope{
		ID: id, Source: "/streams/" + letter.Stream, Type: events.TypeLetterDied,
		Time: d.bus.config.Clock(), Tenant: tenant,
	}
	subject := events.DeadSubject(tenant, letter.Stream)
	message, err := events.Encode(subject, envelope, &letter)
	if errors.Is(err, events.ErrTooLarge) && len(letter.Data) > 0 {
		letter.Size = max(letter.Size, len(letter.Data))
		letter.Data = nil
		message, err = events.Encode(subject, envelope, &letter)
	}
	if err != nil {
		return fmt.Errorf("burying %s: %w", id, err)
	}
	message.Header.Set(jetstream.MsgIDHeader, string(tenant)+"/"+id)
	if _, err := d.bus.store(ctx, outbound(message)); err != nil {
		return fmt.Errorf("burying %s: %w", id, err)
	}
	return nil
}

// List returns the tenant's dead letters, or everybody's where tenant is empty,
// in order of their deaths.
func (d *Dead) List(ctx context.Context, tenant events.TenantID) ([]events.Record, error) {
	var letters []events.Record
	query := directQuery{Subject: events.TenantDeadSubject(tenant)}
	err := d.bus.scan(ctx, events.StreamDead, query, func(message events.Message) {
		letters = append(letters, d.bus.record(ctx, message))
	})
	if err != nil {
		return nil, fmt.Errorf("listing dead letters: %w", err)
	}
	return letters, nil
}
