package bus

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Words about a delivery that the broker understands.
const (
	wordAck      = "+ACK"
	wordNak      = "-NAK"
	wordProgress = "+WPI"
	wordTerm     = "+TERM"
)

// confirm says a word about a delivery and returns when the broker has heard.
func (b *Bus) confirm(ctx context.Context, ackSubject, word string) error {
	if _, err := b.exchange.ask(ctx, &nats.Msg{Subject: ackSubject, Data: []byte(word)}); err != nil {
		return fmt.Errorf("saying %s: %w", word, err)
	}
	return nil
}

// nak gives a delivery back to the consumer, to be delivered again after the
// delay. A word that is lost costs the rest of the lease.
func (b *Bus) nak(ackSubject string, delay time.Duration) error {
	word := wordNak
	if delay > 0 {
		word += ` {"delay": ` + strconv.FormatInt(int64(delay), 10) + `}`
	}
	if err := b.nc.Publish(ackSubject, []byte(word)); err != nil {
		return fmt.Errorf("saying %s: %w", wordNak, err)
	}
	return nil
}
