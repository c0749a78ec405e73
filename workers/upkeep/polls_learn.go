package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fault"
	"github.com/feira-dev/feira/internal/poll"
)

// LookoutConfig is what a [Lookout] is made of.
type LookoutConfig struct {
	// Records keeps what is found. Required.
	Records Records
	// Tenants says in which environment its tenant is. Required.
	Tenants Tenants
	// Pauses say when an object is due. Defaults to those of the kinds.
	Pauses poll.Pauses
	// Logger hears of what is found. Defaults to nobody.
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Lookout learns from the log which objects are to be polled. It is safe for
// concurrent use.
type Lookout struct{ config LookoutConfig }

// NewLookout makes a lookout, or says what is missing.
func NewLookout(config LookoutConfig) (*Lookout, error) {
	faults := fault.In("upkeep: lookout")
	faults.Missing("Records", config.Records == nil)
	faults.Missing("Tenants", config.Tenants == nil)
	if err := faults.Join(); err != nil {
		return nil, err
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Lookout{config: config}, nil
}

// ahead is how many records are written at one time.
const ahead = 16

// Handle learns from a batch of SESSIONS. A batch that is handled again changes
// nothing. What cannot be read is passed over: the meter, which reads the same
// stream, makes it a dead letter.
func (l *Lookout) Handle(ctx context.Context, batch []events.Message) error {
	var watches []poll.Watch
	for _, message := range batch {
		if events.Type(message.Header.Value(events.HeaderType)) != events.TypeToolReturned {
			continue
		}
		record, err := events.Decode(message)
		if err != nil {
			continue
		}
		watch, ok, err := l.learn(ctx, record)
		if err != nil {
			return err
		}
		if ok {
			watches = append(watches, watch)
		}
	}
	return each(watches, func(watch poll.Watch) error {
		value, err := json.Marshal(watch)
		if err != nil {
			return err
		}
		_, err = l.config.Records.Save(ctx, watch.Key(), value, 0)
		if err != nil && !errors.Is(err, ErrMoved) { // which is one that is known
			return fmt.Errorf("remembering to poll an object of %s: %w", watch.Tenant, err)
		}
		return nil
	})
}

// learn is the watch of what a call made; false where it made nothing that is
// polled, or too long ago.
func (l *Lookout) learn(ctx context.Context, record events.Record) (poll.Watch, bool, error) {
	returned, ok := record.Event.(*events.ToolReturned)
	if !ok {
		return poll.Watch{}, false, nil
	}
	found, ok := poll.FoundIn(returned)
	if !ok {
		return poll.Watch{}, false, nil
	}
	if plan, known := found.Kind.Plan(); !known || l.config.Now().Sub(record.Time) >= plan.Age {
		return poll.Watch{}, false, nil
	}
	customer, known, err := l.config.Tenants.Lookup(ctx, record.Tenant)
	if err != nil {
		return poll.Watch{}, false, fmt.Errorf("looking up tenant %s: %w", record.Tenant, err)
	}
	if !known {
		return poll.Watch{}, false, nil
	}
	lane := poll.Lane{Tenant: record.Tenant, Server: found.Server, Environment: customer.Environment}
	return l.config.Pauses.New(lane, found, record.Time), true, nil
}

// each does a thing to all, several at one time, and joins what failed.
func each[T any](all []T, do func(T) error) error {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		faults []error
		slots  = make(chan struct{}, ahead)
	)
	for _, one := range all {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			if err := do(one); err != nil {
				mu.Lock()
				faults = append(faults, err)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return errors.Join(faults...)
}
