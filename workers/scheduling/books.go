package scheduling

import (
	"context"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/fair"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// Spend keeps how accounts stood at a place of the log, so that a new leader
// need not read all of it. Implementations are safe for concurrent use.
type Spend interface {
	// Load tells the state, if there is one, and the revision to save upon.
	Load(ctx context.Context, id tenant.ID) (state budget.State, revision uint64, found bool, err error)
	// Save is budget.ErrMoved, and changes nothing, when somebody has saved since.
	Save(ctx context.Context, id tenant.ID, state budget.State, revision uint64) (uint64, error)
}

// Facts are the logs of sessions. Implementations are safe for concurrent use.
type Facts interface {
	// Watch hands over starts and endings of the tenants' turns and the marks of
	// their budgets behind that sequence, stored ones first, in order, until ctx
	// ends. through is the last sequence looked at; caughtUp is true from the
	// batch on that reaches what was the end of the stream at the start.
	Watch(ctx context.Context, tenants []tenant.ID, after uint64, deliver func(batch []events.Record, through uint64, caughtUp bool) error) error
	// Read lists a session's events after the sequence.
	Read(ctx context.Context, id tenant.ID, session events.SessionID, after uint64) ([]events.Record, error)
	// Born is when the log was made; one that was lost and made anew has places
	// that mean something else.
	Born(ctx context.Context) (time.Time, error)
	// Append is session.ErrConflict when the log has moved on.
	Append(ctx context.Context, entry session.Entry) (uint64, error)
}

// Budgeting is what budgets need.
type Budgeting struct {
	Spend Spend
	Facts Facts
	// Prices tell what use costs. Nil: nobody knows, so nothing is granted under a
	// hard budget of money.
	Prices Tariffs
}

const (
	// refusalsAtOnce is how many requests one pass of the loop refuses.
	refusalsAtOnce = 4096
	// orphanAge is how long something is set aside for a run that has gone before
	// its log is searched for its ending.
	orphanAge = 5 * time.Second
	// orphansAtOnce is how many are searched for in a second.
	orphansAtOnce = 64
	// checkpointAge is by how many places of the log a checkpoint may lag behind
	// though nothing of its tenant has happened.
	checkpointAge = 50_000
)

// books are the accounts of the tenants that have budgets. What they say is true
// while a tail of the log is read that began after RUNS was: what had ended by
// then is in the log, what had not is in RUNS. All fields belong to the leader's
// goroutine; what is done elsewhere comes back as news.
type books struct {
	accounts map[tenant.ID]*account
	news     chan func()

	look    bool // something is to be loaded, or the tail to be opened
	loading bool
	saving  bool
	probing bool
	dating  bool
	born    time.Time // when the log was made that the accounts count by

	tail    int // counts tails
	through uint64
	caught  bool
	end     context.CancelFunc
}

// account is a tenant's in the books.
type account struct {
	*budget.Account

	customer tenant.Tenant
	loaded   bool
	known    bool // what was spent is
	waits    bool // for what others hold
	dirty    bool // more has happened than is saved
	telling  bool
	tail     int // that tells of it
	saved    uint64
	revision uint64
	ended    map[uint64]time.Time // when what is held was first seen to have gone
}

func newBooks() books {
	return books{accounts: map[tenant.ID]*account{}, news: make(chan func()), end: func() {}}
}

// report runs away from the loop, and has what it returns done in it.
func (l *leader) report(ctx context.Context, work func() func()) {
	l.tasks.Go(func() { l.pass(ctx, work()) })
}

func (l *leader) pass(ctx context.Context, news func()) {
	select {
	case l.books.news <- news:
	case <-ctx.Done():
	}
}

// enrol takes in a tenant's budgets as they are now.
func (l *leader) enrol(ctx context.Context, c change) {
	id := c.customer.ID
	a, known := l.books.accounts[id]
	if !c.live || len(c.customer.Budgets) == 0 {
		if known {
			delete(l.books.accounts, id)
			l.queue.Hold(id, false, l.cfg.Now())
		}
		return
	}
	if !known {
		a = &account{}
		l.books.accounts[id] = a
	}
	a.customer = c.customer
	if err := l.reckon(a); err != nil {
		l.cfg.Logger.ErrorContext(ctx, "a tenant's budgets cannot be used, and nothing of it is granted", "tenant", id, "error", err)
	}
	l.books.look = true
	l.balance(a)
}

// reckon has the account count as its tenant is configured. What it does not
// count yet it must read first.
func (l *leader) reckon(a *account) error {
	if a.Account == nil {
		made, err := budget.New(a.customer, l.prices(a.customer.ID))
		if err != nil {
			return err
		}
		a.Account, a.ended = made, map[uint64]time.Time{}
		return nil
	}
	before := a.Position()
	err := a.Configure(a.customer)
	if a.Position() < before || err != nil {
		a.known, a.tail = false, 0
	}
	a.dirty = true
	return err
}

// balance lets the tenant's requests start, or keeps them.
func (l *leader) balance(a *account) {
	held := a.waits || !a.known && (a.Account == nil || a.Hard())
	l.queue.Hold(a.customer.ID, held, l.cfg.Now())
}

// shut forgets what a leadership knew; another may have changed it.
func (l *leader) shut(ctx context.Context) {
	l.doubt()
	for id, a := range l.books.accounts {
		fresh := &account{customer: a.customer}
		l.books.accounts[id] = fresh
		if err := l.reckon(fresh); err != nil {
			l.cfg.Logger.ErrorContext(ctx, "a tenant's budgets cannot be used", "tenant", id, "error", err)
		}
		l.balance(fresh)
	}
}

// doubt closes the tail: RUNS was not what it was taken for, so a run may have
// come and gone that the tail has not told of yet.
func (l *leader) doubt() {
	l.books.end()
	l.books.tail++
	l.books.caught, l.books.look = false, true
	for _, a := range l.books.accounts {
		a.known = false
		if a.Account != nil {
			l.balance(a)
		}
	}
}

// keepBooks loads what is not loaded, then opens a tail that tells of all.
func (l *leader) keepBooks(ctx context.Context) {
	if !l.books.look || l.cfg.Budgets == nil || l.tenure == nil || l.settling || l.books.loading {
		return
	}
	l.books.look = false
	var missing []tenant.ID
	open := false
	for id, a := range l.books.accounts {
		if a.Account != nil && !a.loaded {
			missing = append(missing, id)
		}
		open = open || a.Account != nil && a.tail != l.books.tail
	}
	switch {
	case len(missing) > 0:
		l.load(ctx, missing)
	case open:
		l.openTail(ctx)
	}
}

// admits decides on a request that would start now, and sets aside for it. One
// that does not fit leaves the queue to be ended; one that has to wait goes back
// to its place, and its tenant is held.
func (l *leader) admits(ctx context.Context, a *account, request fair.Request, now time.Time) bool {
	verdict := a.Decide(budget.Run{Request: request.Sequence, Session: request.Session, Kind: request.Kind}, now)
	if verdict.Decision == budget.Granted {
		return true
	}
	l.queue.Return(request.Sequence, now)
	if verdict.Decision == budget.Refused {
		l.queue.Remove(request.Sequence, now)
		l.endings.add(refusal(request, verdict.Detail))
		return false
	}
	if verdict.Decision == budget.Unknown {
		l.cfg.Logger.WarnContext(ctx, "nothing of a tenant is granted", "tenant", request.Tenant, "reason", verdict.Detail)
	}
	a.waits = true
	l.balance(a)
	return false
}

func refusal(request fair.Request, detail string) verdict {
	return verdict{request: request, cause: causeBudget, detail: fmt.Sprintf("tenant %s: %s", request.Tenant, detail)}
}
