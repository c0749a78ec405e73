package scheduling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/outcome"
)

// Config is what a scheduler is made of.
type Config struct {
	// ID names this process in the lease.
	ID       string
	Lease    Lease
	Requests Requests
	Runs     Runs
	Hints    Hints
	Tenants  Tenants
	Endings  Endings
	Logger   *slog.Logger
	// Questions is where the leader is asked about its queue. Nil: nobody asks.
	Questions Questions
	// Budgets is what budgets need. Nil: nothing is granted to a tenant that has a
	// hard one.
	Budgets *Budgeting
	// Observer sees what the scheduler does. Defaults to nobody.
	Observer Observer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// Reconcile is how often the picture of RUNS is held against RUNS.
	// Defaults to 1 s.
	Reconcile time.Duration
	// InFlight is how many grants may wait for the broker's answer, however many
	// slots there are; otherwise it is an eighth of the slots. Defaults to 1024.
	InFlight int
	// WorkerSlots is how many slots a worker is taken to have, for the number of
	// workers to wish for, while none is live. Defaults to 64.
	WorkerSlots int
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Reconcile == 0 {
		c.Reconcile = time.Second
	}
	if c.InFlight == 0 {
		c.InFlight = 1024
	}
	if c.WorkerSlots == 0 {
		c.WorkerSlots = 64
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	return c
}

// Validate joins every fault.
func (c Config) Validate() error {
	var faults []error
	need := func(missing bool, name string) {
		if missing {
			faults = append(faults, errors.New("scheduling: "+name+" is missing"))
		}
	}
	need(c.ID == "", "id")
	need(c.Lease == nil, "lease")
	need(c.Requests == nil, "requests")
	need(c.Runs == nil, "runs")
	need(c.Hints == nil, "hints")
	need(c.Tenants == nil, "tenants")
	need(c.Endings == nil, "endings")
	need(c.Logger == nil, "logger")
	need(c.Budgets != nil && (c.Budgets.Spend == nil || c.Budgets.Facts == nil), "spend or facts of budgets")
	return errors.Join(faults...)
}

// handOver bounds what a scheduler does after it was told to stop.
const handOver = 2 * time.Second

// New makes a scheduler: a part that stands by until it holds the lease, then
// leads until it loses it or stops.
func New(cfg Config) (lifecycle.Part, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &scheduler{cfg: cfg, roster: newRoster()}
	return lifecycle.NewRunner("scheduler", s.run), nil
}

type scheduler struct {
	cfg    Config
	roster *roster
}

func (s *scheduler) run(fetch, _ context.Context, ready func()) error {
	err := s.cfg.Hints.WatchWorkers(fetch, func(announced events.WorkerAnnounced) {
		s.roster.hear(announced, s.cfg.Now())
	})
	if err != nil {
		return fmt.Errorf("listening to workers: %w", err)
	}
	ready()
	for fetch.Err() == nil {
		if err := s.serve(fetch); err != nil && fetch.Err() == nil {
			s.cfg.Logger.ErrorContext(fetch, "the index is lost and built anew", "error", err)
			wait(fetch, events.LeaseRefresh)
		}
	}
	return nil
}

// serve keeps one index for as long as it can be kept.
func (s *scheduler) serve(fetch context.Context) error {
	ctx, end := context.WithCancelCause(fetch)
	defer end(outcome.ErrStopping)
	return newLeader(s.cfg, s.roster).run(ctx, end)
}
