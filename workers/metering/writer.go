package metering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// WriterBatch is how many messages a writer is best handed at one time: what a
// transaction costs whatever it holds, and pages that rows of it share, are then
// shared by many; more would hold more memory and save little.
const WriterBatch = 2_000

// WriterConfig is what a [Writer] needs.
type WriterConfig struct {
	// Ledger books the batches. Required.
	Ledger Ledger
	// Logger hears of conflicts and of messages put into quarantine. Defaults
	// to a silent one.
	Logger *slog.Logger
}

func (c WriterConfig) withDefaults() WriterConfig {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c WriterConfig) Validate() error {
	if c.Ledger == nil {
		return errors.New("writer: ledger is missing")
	}
	return nil
}

// Writer books usage events in the ledger.
type Writer struct {
	ledger Ledger
	logger *slog.Logger
}

// NewWriter returns a writer.
func NewWriter(config WriterConfig) (*Writer, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	return &Writer{ledger: config.Ledger, logger: config.Logger}, nil
}

// Handle books a batch of USAGE. It returns nil when the ledger has committed
// every message of it as row, conflict or quarantined, and only then may the
// batch be acknowledged; after an error the whole batch is to be handed in
// again.
func (w *Writer) Handle(ctx context.Context, batch []events.Message) error {
	return w.Stage(batch)(ctx)
}

// Stage reads a batch of USAGE, and returns the rest of [Writer.Handle]: batches
// are booked in their order, and each can be staged while the one before it is
// booked.
func (w *Writer) Stage(batch []events.Message) (handle func(ctx context.Context) error) {
	read := readAll(batch)
	book, err := w.ledger.Stage(read)
	return func(ctx context.Context) error {
		if err != nil {
			return fmt.Errorf("booking usage: %w", err)
		}
		outcome, err := book(ctx)
		if err != nil {
			return fmt.Errorf("booking usage: %w", err)
		}
		w.report(ctx, read, outcome)
		return nil
	}
}

func (w *Writer) report(ctx context.Context, read usage.Batch, outcome usage.Outcome) {
	if outcome.Conflicts > 0 {
		w.logger.ErrorContext(ctx, "usage events contradict recorded ones", slog.Int("conflicts", outcome.Conflicts))
	}
	if outcome.Quarantined > 0 {
		w.logger.WarnContext(ctx, "usage events put into quarantine", slog.Int("quarantined", outcome.Quarantined),
			slog.String("first_reason", string(firstReason(read))))
	}
}

// firstReason is why a message of the batch was put aside, as far as the batch
// itself tells: of a correction only the ledger knows.
func firstReason(batch usage.Batch) usage.Reason {
	switch {
	case len(batch.Rejected) > 0:
		return batch.Rejected[0].Reason
	case len(batch.Untimely) > 0:
		return batch.Untimely[0].Reason
	default:
		return "refused_correction"
	}
}
