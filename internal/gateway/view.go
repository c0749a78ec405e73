package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/session"
)

// cachedViews is how many sessions are remembered, some 500 bytes each.
const cachedViews = 16_384

// view is what clients may know of a session: the fold of its log without what
// was said in it. It is a value; what it points at does not change.
type view struct {
	tenant   events.TenantID
	id       events.SessionID
	opened   events.SessionOpened
	created  time.Time
	active   time.Time // when the last thing happened
	closed   time.Time // zero while it is open
	calls    int
	sequence uint64
}

// apply folds an event in.
func (v *view) apply(record events.Record) {
	if record.Sequence <= v.sequence {
		return
	}
	v.sequence, v.active = record.Sequence, record.Time
	switch event := record.Event.(type) {
	case *events.SessionOpened:
		if v.created.IsZero() {
			v.opened, v.created = *event, record.Time
		}
	case *events.SessionClosed:
		if v.closed.IsZero() {
			v.closed = record.Time
		}
	case *events.ToolReturned:
		v.calls++
	}
}

// exists reports whether the session was opened at all.
func (v *view) exists() bool { return !v.created.IsZero() }

// expires is when the session ends of itself; false when it never does.
func (v *view) expires() (time.Time, bool) {
	if v.opened.IdleSeconds == 0 {
		return time.Time{}, false
	}
	return v.active.Add(time.Duration(v.opened.IdleSeconds) * time.Second), true
}

// views reads sessions from the log, and remembers how far. It is safe for
// concurrent use.
type views struct {
	log   Log
	cache *lru.Cache[viewKey, view]
}

type viewKey struct {
	tenant  events.TenantID
	session events.SessionID
}

func newViews(config Config) (*views, error) {
	cache, err := lru.New[viewKey, view](cachedViews)
	if err != nil {
		return nil, fmt.Errorf("making the memory of sessions: %w", err)
	}
	return &views{log: config.Log, cache: cache}, nil
}

// load reads what has come since the last time.
func (s *views) load(ctx context.Context, tenant events.TenantID, id events.SessionID) (view, error) {
	key := viewKey{tenant, id}
	known, ok := s.cache.Get(key)
	if !ok {
		known = view{tenant: tenant, id: id}
	}
	tail, err := s.log.Read(ctx, tenant, id, known.sequence)
	if err != nil {
		return view{}, fmt.Errorf("reading session %s: %w", id, err)
	}
	for _, record := range tail {
		known.apply(record)
	}
	if known.exists() && len(tail) > 0 {
		s.cache.Add(key, known)
	}
	return known, nil
}

// session finds a session that the caller reaches, whether it is open or not.
// Whatever the reason that there is none, the answer is the same.
func (g *Gateway) session(ctx context.Context, caller access.Caller, text string) (view, error) {
	id, err := events.ParseSessionID(text)
	if err != nil {
		return view{}, sessionGone()
	}
	tenants, err := g.candidates(ctx, caller, id)
	if err != nil {
		return view{}, err
	}
	for _, tenant := range tenants {
		found, err := g.sessions.load(ctx, tenant, id)
		if err != nil {
			return view{}, worded(err)
		}
		if found.exists() && caller.Reaches(tenant, found.opened.Environment) {
			return found, g.chargeFor(ctx, tenant)
		}
	}
	return view{}, sessionGone()
}

// candidates are the tenants that a session's id may be of.
func (g *Gateway) candidates(ctx context.Context, caller access.Caller, id events.SessionID) ([]events.TenantID, error) {
	if own := caller.Key().Tenant; own != "" {
		return []events.TenantID{own}, nil
	}
	if named := exchangeOf(ctx).tenant; named != "" {
		return []events.TenantID{named}, nil
	}
	tag, ok := events.SessionTag(id)
	if !ok {
		return nil, nil // a producer's own id, which needs the tenant beside it
	}
	tenants, err := g.cfg.Tenants.Tagged(ctx, tag)
	if err != nil {
		return nil, worded(fmt.Errorf("finding the tenant of session %s: %w", id, err))
	}
	slices.Sort(tenants)
	return tenants, nil
}

// open finds a session that the caller reaches and that is open now. One whose
// time is over is closed on the way.
func (g *Gateway) open(ctx context.Context, caller access.Caller, text string) (view, error) {
	found, err := g.session(ctx, caller, text)
	if err != nil {
		return view{}, err
	}
	if !found.closed.IsZero() {
		return view{}, sessionGone()
	}
	if end, ends := found.expires(); ends && !g.cfg.Now().Before(end) {
		if err := g.close(ctx, found, events.ClosedIdle); err != nil {
			return view{}, worded(err) // what was asked of it was not done
		}
		return view{}, sessionGone()
	}
	return found, nil
}

// close writes a session's end. Others may write at the same time; a session
// that was closed meanwhile is closed.
func (g *Gateway) close(ctx context.Context, of view, reason string) error {
	for ctx.Err() == nil {
		_, err := g.cfg.Log.Append(ctx, session.Entry{
			Last: of.sequence, Envelope: g.envelope(of.tenant, of.id, session.ClosedID),
			Event: &events.SessionClosed{Reason: reason},
		})
		if err == nil {
			return nil
		}
		if !overtaken(err) {
			return fmt.Errorf("closing session %s: %w", of.id, err)
		}
		if of, err = g.sessions.load(ctx, of.tenant, of.id); err != nil {
			return err
		}
		if !of.closed.IsZero() {
			return nil
		}
	}
	return context.Cause(ctx)
}

// overtaken reports whether an append failed because somebody else wrote, or
// perhaps did not fail: the log has to be read to know.
func overtaken(err error) bool {
	return errors.Is(err, session.ErrConflict) || errors.Is(err, session.ErrUncertain)
}

func (g *Gateway) envelope(tenant events.TenantID, id events.SessionID, event string) events.Envelope {
	return events.Envelope{
		ID: event, Source: events.SessionSource(tenant, id), Time: g.cfg.Now().UTC(), Tenant: tenant, Session: id,
	}
}
