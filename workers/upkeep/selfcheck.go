package upkeep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fault"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/webhook"
)

// Defaults of [SelfcheckConfig].
const (
	DefaultSelfcheckEvery = 15 * time.Minute
	// DefaultAlarm is a third of the refusals after which Asaas stops.
	DefaultAlarm = 5
)

// fedKept is how many findings a process remembers to have fed in. One that is
// fed in again is known where it arrives.
const fedKept = 1 << 16

// SelfcheckConfig is what a [Selfcheck] works with.
type SelfcheckConfig struct {
	Connections Connections
	Inspector   Inspector
	Post        Post
	// Every is the pause between two looks. Defaults to 15 min.
	Every time.Duration
	// Pace is the pause after each connection of a look. Defaults to a second.
	Pace time.Duration
	// Alarm is from how many refusals in a row on a queue is said to be failing.
	// Defaults to 5.
	Alarm int
	// Resume has an interrupted queue go on. Defaults to leaving that to people.
	Resume bool
	// Observer is told how it goes. Defaults to nobody.
	Observer SelfcheckObserver
	// Logger hears of what is wrong. Defaults to nobody.
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

func (c SelfcheckConfig) withDefaults() SelfcheckConfig {
	c.Every = cmp.Or(c.Every, DefaultSelfcheckEvery)
	c.Pace = cmp.Or(c.Pace, DefaultPace)
	c.Alarm = cmp.Or(c.Alarm, DefaultAlarm)
	if c.Observer == nil {
		c.Observer = unchecked{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c SelfcheckConfig) Validate() error {
	faults := fault.In("upkeep: selfcheck")
	faults.Missing("Connections", c.Connections == nil)
	faults.Missing("Inspector", c.Inspector == nil)
	faults.Missing("Post", c.Post == nil)
	faults.Negative("Every", c.Every < 0)
	faults.Negative("Pace", c.Pace < 0)
	faults.Negative("Alarm", c.Alarm < 0)
	return faults.Join()
}

// Selfcheck is a part that looks after the webhooks of connections: whether the
// provider still tells, and what it did not tell.
type Selfcheck struct {
	*lifecycle.Runner

	config SelfcheckConfig
	// fed says by connection and finding whether it was fed in, or only seen. It is
	// of the part's goroutine.
	fed *lru.Cache[string, bool]
}

// NewSelfcheck makes the part.
func NewSelfcheck(config SelfcheckConfig) (*Selfcheck, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	fed, err := lru.New[string, bool](fedKept)
	if err != nil {
		return nil, fmt.Errorf("upkeep: %w", err)
	}
	s := &Selfcheck{config: config, fed: fed}
	s.Runner = lifecycle.NewRunner("selfcheck", s.run)
	return s, nil
}

func (s *Selfcheck) run(fetch, _ context.Context, ready func()) error {
	ready()
	every(fetch, s.config.Every, func() { s.look(fetch) })
	return nil
}

// look goes through all connections, one after the other.
func (s *Selfcheck) look(ctx context.Context) {
	var watched []Connection
	err := s.config.Connections.Watched(ctx, func(one Connection) error {
		watched = append(watched, one)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.config.Logger.WarnContext(ctx, "connections that are told of things cannot all be listed", "error", err)
	}
	interrupted, failing := 0, 0
	for _, one := range watched {
		queue, err := s.check(ctx, one)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrNoQueue):
			s.config.Logger.InfoContext(ctx, "a provider tells nothing to a connection's address", one.attributes()...)
		case err != nil:
			s.config.Logger.WarnContext(ctx, "a connection's webhooks cannot be looked after just now", append(one.attributes(), "error", err)...)
		}
		if queue.Interrupted {
			interrupted++
		} else if queue.Refused >= s.config.Alarm {
			failing++
		}
		if !lifecycle.Pause(ctx, s.config.Pace) {
			return
		}
	}
	s.config.Observer.Stands(interrupted, failing)
}

func (c Connection) attributes() []any {
	return []any{"tenant", string(c.Tenant), "server", c.Server, "connection", c.ID}
}

// check looks at one connection, and returns how it stands after that.
func (s *Selfcheck) check(ctx context.Context, one Connection) (Queue, error) {
	queue, err := s.config.Inspector.Queue(ctx, one)
	if err != nil {
		return Queue{}, err
	}
	// What was not told is fed in first: what the provider tells once it goes on is
	// known by then.
	faults := []error{s.fetch(ctx, one, queue)}
	switch {
	case queue.Interrupted:
		s.config.Logger.ErrorContext(ctx, "a provider has stopped telling of things", append(one.attributes(), "queue", queue.ID)...)
		faults = append(faults, s.warn(ctx, one, queue, events.FactWebhookInterrupted, "interrupted"))
		if !s.config.Resume {
			break
		}
		if err := s.config.Inspector.Resume(ctx, one, queue); err != nil {
			faults = append(faults, fmt.Errorf("having it go on: %w", err))
			break
		}
		queue.Interrupted, queue.Refused = false, 0
		s.config.Logger.InfoContext(ctx, "a provider was told to go on telling", append(one.attributes(), "queue", queue.ID)...)
		faults = append(faults, s.warn(ctx, one, queue, events.FactWebhookResumed, "resumed"))
	case queue.Refused >= s.config.Alarm:
		s.config.Logger.WarnContext(ctx, "what a provider tells is not taken: it will stop", append(one.attributes(), "queue", queue.ID, "refused", queue.Refused)...)
		faults = append(faults, s.warn(ctx, one, queue, events.FactWebhookFailing, "failing"))
	}
	return queue, errors.Join(faults...)
}

func (s *Selfcheck) warn(ctx context.Context, one Connection, queue Queue, fact events.Fact, status string) error {
	warning, err := webhook.Warning(fact, queue.ID, status, s.config.Now())
	if err != nil {
		return fmt.Errorf("wording a warning: %w", err)
	}
	_, err = s.feed(ctx, one, warning)
	return err
}

// fetch feeds in what has happened since the connection has its address, of the
// kinds that the provider is asked to tell of.
func (s *Selfcheck) fetch(ctx context.Context, one Connection, queue Queue) error {
	findings, err := s.config.Inspector.Findings(ctx, one)
	if err != nil {
		return fmt.Errorf("listing what happened: %w", err)
	}
	count := 0
	defer func() { s.config.Observer.Found(count) }()
	for _, found := range slices.Backward(findings) { // the oldest first, as it would have been told
		wanted := len(queue.Events) == 0 || slices.Contains(queue.Events, found.Kind)
		if !wanted || found.On.Before(webhook.Day(one.Since)) || queue.well() && s.young(one, found) {
			continue
		}
		fed, err := s.feed(ctx, one, found)
		if err != nil {
			return err
		}
		if fed {
			count++
		}
	}
	return nil
}

// young reports whether a finding was not seen at an earlier look: of a queue that
// does well it may be on its way, and the provider's own word says more.
func (s *Selfcheck) young(one Connection, found webhook.Finding) bool {
	seen, _ := s.fed.ContainsOrAdd(one.ID+" "+found.ID, false)
	return !seen
}

// feed hands a finding on as a webhook, unless this process has done so before.
func (s *Selfcheck) feed(ctx context.Context, one Connection, found webhook.Finding) (bool, error) {
	key := one.ID + " " + found.ID
	if fed, _ := s.fed.Get(key); fed {
		return false, nil
	}
	err := s.config.Post.Publish(ctx, events.Webhook{
		Tenant: one.Tenant, Server: one.Server, Connection: one.ID, Found: true, Received: s.config.Now(), Body: found.Body,
	})
	if err != nil {
		return false, fmt.Errorf("feeding in what was found: %w", err)
	}
	s.fed.Add(key, true)
	return true, nil
}

// unchecked is an observer whom nothing is told.
type unchecked struct{}

// Stands implements [SelfcheckObserver].
func (unchecked) Stands(int, int) {}

// Found implements [SelfcheckObserver].
func (unchecked) Found(int) {}
