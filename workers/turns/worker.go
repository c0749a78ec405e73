package turns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/mock"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// DefaultCache is how many folded sessions a worker keeps.
const DefaultCache = 4096

// Config is what a worker is made of.
type Config struct {
	// ID names this process; no two live workers share one.
	ID       string
	Requests Requests
	Log      Log
	Cemetery Cemetery
	Tenants  Tenants
	Loop     *agent.Loop
	Logger   *slog.Logger
	// TestMode admits requests that open their session with mocks. The loop is
	// to have it too.
	TestMode bool
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// Trace begins a span under a W3C traceparent, which may be empty, and
	// returns the span's own traceparent and how to end it. Defaults to none.
	Trace TraceFunc
	// Cache is how many folded sessions are kept. Defaults to [DefaultCache].
	Cache int
}

// TraceFunc begins a span for a request.
type TraceFunc func(ctx context.Context, head events.RequestHead) (spanned context.Context, traceparent string, end func(error))

func untraced(ctx context.Context, head events.RequestHead) (context.Context, string, func(error)) {
	return ctx, head.Trace, func(error) {}
}

// Worker brings runs to their end. It is safe for concurrent use.
type Worker struct {
	cfg   Config
	cache *cache
	going *going
	runs  atomic.Uint64 // tells apart two runs of this process
}

// New makes a worker. It returns an error when a port is missing.
func New(cfg Config) (*Worker, error) {
	if cfg.ID == "" || cfg.Requests == nil || cfg.Log == nil || cfg.Cemetery == nil || cfg.Tenants == nil || cfg.Loop == nil || cfg.Logger == nil {
		return nil, errors.New("turns: id, requests, log, cemetery, tenants, loop and logger are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Trace == nil {
		cfg.Trace = untraced
	}
	if cfg.Cache == 0 {
		cfg.Cache = DefaultCache
	}
	states, err := newCache(cfg.Cache)
	if err != nil {
		return nil, fmt.Errorf("turns: cache: %w", err)
	}
	return &Worker{cfg: cfg, cache: states, going: newGoing()}, nil
}

// Handle brings one run to its end, or says by its error what is to become of
// the run. When it returns nil the request is served, and whoever called is to
// remove it. Deliveries counts how often the broker has handed it out, from 1.
func (w *Worker) Handle(ctx context.Context, run events.Run, deliveries int) error {
	if deliveries > events.MaxRunDeliveries {
		return w.giveUp(ctx, run, deliveries)
	}
	message, found, err := w.cfg.Requests.Read(ctx, run.Sequence)
	if err != nil {
		return fmt.Errorf("reading request %d: %w", run.Sequence, err)
	}
	if !found {
		return nil
	}
	head, err := events.ParseRequestHead(message, len(message.Data))
	ctx, parent, end := w.cfg.Trace(ctx, head)
	head.Trace = parent
	err = w.judge(ctx, head, message, err)
	end(err)
	return err
}

// judge serves a request that is fit and refuses one that is not.
func (w *Worker) judge(ctx context.Context, head events.RequestHead, message events.Message, fault error) error {
	if fault != nil {
		return w.refuse(ctx, head, message, refusalOf(fault))
	}
	customer, known, err := w.cfg.Tenants.Lookup(ctx, head.Tenant)
	if err != nil {
		return fmt.Errorf("looking up tenant %s: %w", head.Tenant, err)
	}
	if !known {
		return w.refuse(ctx, head, message, refusal{events.ReasonUnknownTenant, "tenant " + strconv.Quote(string(head.Tenant)) + " is not registered"})
	}
	request, err := events.ParseRequest(head.Kind, message.Data)
	if err != nil {
		return w.refuse(ctx, head, message, refusalOf(err))
	}
	return w.serve(ctx, customer, order{head: head, message: message, request: request})
}

// order is a request that is fit to be run.
type order struct {
	head    events.RequestHead
	message events.Message
	request events.Request
	again   bool // what was at hand of the session was behind
}

// errBehind occurs when the log tells of an owner of this request that was not
// known when the request was to be started.
var errBehind = errors.New("the session was known only in part")

// serve runs a fit request in its session.
func (w *Worker) serve(ctx context.Context, customer tenant.Tenant, o order) error {
	head := o.head
	state, err := w.load(ctx, o)
	if errors.Is(err, session.ErrGap) {
		return w.refuse(ctx, head, o.message, refusal{events.ReasonLogUnreadable, err.Error()})
	}
	if err != nil {
		return err
	}
	if _, ended := state.Ended(head.ID); ended {
		w.cache.put(state)
		return nil
	}
	if _, started := state.Turn(head.ID); !started && head.Expired(w.cfg.Now()) {
		return w.reject(ctx, head, events.TurnExpired, refusal{events.ReasonExpired, "the request expired at " + head.Expires.UTC().Format(time.RFC3339)})
	}
	pages := w.journal(state, head)
	err = w.play(ctx, customer, pages, o)
	switch {
	case err == nil:
	case errors.Is(err, errBehind) && !o.again && ctx.Err() == nil:
		// The owner may be long gone, and the cache or a lagging replica from
		// before it. Left to its lease, the run would lose that time, and a
		// delivery, at each worker that knows too little.
		o.again = true
		return w.serve(ctx, customer, o)
	case errors.Is(err, events.ErrTooLarge):
		return w.refuse(ctx, head, o.message, refusalOf(err))
	case refusedMocks(err):
		return w.refuse(ctx, head, o.message, refusalOf(err))
	case errors.Is(err, errEnded):
		return nil
	default:
		return err // the state may be behind the log: it is not kept
	}
	w.cache.put(state)
	return nil
}

// play starts the request, runs the loop to its end, and writes the end down.
func (w *Worker) play(ctx context.Context, customer tenant.Tenant, pages *journal, o order) error {
	end := &events.TurnCompleted{
		RequestSequence: o.head.Sequence, Status: events.TurnRejected,
		Reason: events.ReasonSessionClosed, Detail: "session " + string(o.head.Session) + " is closed",
	}
	if !pages.state.Closed {
		err := w.open(ctx, customer, pages, o)
		if err == nil {
			err = w.start(ctx, pages, o)
		}
		if errors.Is(err, outcome.ErrFenced) {
			return fmt.Errorf("%w: %w", errBehind, err)
		}
		if err != nil {
			return err
		}
		ran, err := w.run(ctx, agent.Scope{Tenant: customer, State: pages.state}, pages)
		if err != nil {
			return err
		}
		end = ran
	}
	if err := pages.Append(ctx, end); err != nil {
		return fmt.Errorf("ending request %s: %w", o.head.ID, err)
	}
	return nil
}

// open writes the session's first fact where there is none. Two requests may
// race for it; the loser finds the session open, perhaps with other mocks than
// its own.
func (w *Worker) open(ctx context.Context, customer tenant.Tenant, pages *journal, o order) error {
	mocks, err := w.mocks(customer, pages.state, o)
	if err != nil {
		return err
	}
	if !pages.state.Opened {
		err := pages.Append(ctx, &events.SessionOpened{
			Servers: customer.Servers, Environment: customer.Environment, Routes: customer.Routes.Named(), Metadata: stamp(customer), Mocks: mocks.Raw(),
		})
		if err != nil {
			return fmt.Errorf("opening session %s: %w", pages.state.ID, err)
		}
	}
	if mocks != nil && !mocks.Equal(pages.state.Mocks) {
		return mock.ErrSessionOpen
	}
	return nil
}

// start writes turn.started, which makes this run the owner of the request.
func (w *Worker) start(ctx context.Context, pages *journal, o order) error {
	head, request := o.head, o.request
	started := &events.TurnStarted{
		RequestSequence: head.Sequence, Kind: head.Kind, Attempt: 1,
		Worker: w.cfg.ID + "#" + strconv.FormatUint(w.runs.Add(1), 10),
	}
	if earlier, ok := pages.state.Turn(head.ID); ok {
		started.Attempt = earlier.Attempt + 1
		pages.owner = earlier.Worker // until ours is stored, only that one may be overtaken
	} else {
		started.Message, started.Metadata = request.Message, request.Metadata
		if head.Kind == events.KindCall {
			started.Call = &events.CallRequested{Tool: request.Tool, Arguments: orEmpty(request.Arguments)}
		}
	}
	if err := pages.Append(ctx, started); err != nil {
		return fmt.Errorf("starting request %s: %w", head.ID, err)
	}
	pages.owner = started.Worker
	if started.Attempt > 1 {
		w.cfg.Logger.InfoContext(ctx, "taking over an unfinished turn", "attempt", started.Attempt)
	}
	return nil
}

// load returns the session's state up to what this worker knows, which is the
// end of the log unless the cache is behind; an append finds that out.
func (w *Worker) load(ctx context.Context, o order) (*session.State, error) {
	head := o.head
	state := w.cache.take(head.Tenant, head.Session)
	if o.again {
		state = session.New(head.Tenant, head.Session)
	}
	if state.Last > 0 {
		return state, nil
	}
	records, err := w.cfg.Log.Read(ctx, head.Tenant, head.Session, 0)
	if err != nil {
		return nil, fmt.Errorf("reading session %s: %w", head.Session, err)
	}
	if err := state.ApplyAll(records); err != nil {
		return nil, fmt.Errorf("folding session %s: %w", head.Session, err)
	}
	return state, nil
}

func (w *Worker) journal(state *session.State, head events.RequestHead) *journal {
	return &journal{log: w.cfg.Log, now: w.cfg.Now, request: head.ID, trace: head.Trace, state: state}
}

// stamp is the metadata that a session's usage carries: the tenant's, and
// always the tenant itself, which a SaaS groups its usage by.
func stamp(customer tenant.Tenant) map[string]string {
	metadata := map[string]string{"tenant_id": string(customer.ID)}
	maps.Copy(metadata, customer.Metadata)
	return metadata
}

func orEmpty(arguments []byte) []byte {
	if len(arguments) == 0 {
		return []byte("{}")
	}
	return arguments
}
