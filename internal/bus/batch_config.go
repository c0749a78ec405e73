package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
)

// BatchHandler works on messages in the order of their deliveries. nil is done
// with all of them; after an error all of them come again, so what it does must
// bear repetition.
type BatchHandler func(ctx context.Context, batch []events.Message) error

// BatchStage does what can be done of a batch while the one before it is worked
// on, and returns the rest, which is as a [BatchHandler]: batches are worked on one
// at a time and in order.
type BatchStage func(batch []events.Message) (handle func(ctx context.Context) error)

// BatchConfig says how to work on a stream in batches.
type BatchConfig struct {
	// Name is for logs. Defaults to "stream/durable".
	Name string
	// Stream and Durable name the consumer. Required. One that does not exist
	// is created, from the stream's beginning.
	Stream  string
	Durable string
	// Max is how many messages a batch has at most. Defaults to 1000.
	Max int
	// MaxWait is how long the first message of a batch waits for others.
	// Defaults to 20 ms.
	MaxWait time.Duration
	// Handler works on one batch at a time; or Stage does, which begins with the
	// next one meanwhile; or Each does, which settles every message by itself. One
	// of them is required.
	Handler BatchHandler
	Stage   BatchStage
	Each    EachHandler
	// Confirm names the subject that the broker's confirmation of a message's end
	// goes to, where somebody else waits for it. Defaults to none.
	Confirm func(message events.Message) string
	// Idle is how long a pull waits for a first message; a stop waits as long.
	// Defaults to 1 s.
	Idle time.Duration
	// RetryBase and RetryCap bound the wait after a failure. Default to 100 ms
	// and 15 s.
	RetryBase time.Duration
	RetryCap  time.Duration
	// Logger hears of failures. Defaults to the bus's.
	Logger *slog.Logger
}

func (c BatchConfig) withDefaults(logger *slog.Logger) BatchConfig {
	c.Name = cmp.Or(c.Name, c.Stream+"/"+c.Durable)
	c.Max = cmp.Or(c.Max, 1000)
	c.MaxWait = cmp.Or(c.MaxWait, 20*time.Millisecond)
	c.Idle = cmp.Or(c.Idle, time.Second)
	c.RetryBase = cmp.Or(c.RetryBase, 100*time.Millisecond)
	c.RetryCap = cmp.Or(c.RetryCap, max(15*time.Second, c.RetryBase))
	if c.Logger == nil {
		c.Logger = logger
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c BatchConfig) Validate() error {
	var faults []error
	fault := func(text string) { faults = append(faults, fmt.Errorf("%w: batches: %s", ErrInvalidConfig, text)) }
	if c.Stream == "" {
		fault("stream is missing")
	}
	if c.Durable == "" {
		fault("durable is missing")
	}
	ways := 0
	for _, set := range []bool{c.Handler != nil, c.Stage != nil, c.Each != nil} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		fault("one of handler, stage and each must be set")
	}
	if c.Max < 1 || c.MaxWait <= 0 || c.Idle <= 0 || c.RetryBase <= 0 || c.RetryCap < c.RetryBase {
		fault("max, max_wait, idle and retry_base must be positive, and retry_cap not below retry_base")
	}
	return errors.Join(faults...)
}
