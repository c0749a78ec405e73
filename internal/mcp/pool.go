package mcp

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/egress"
)

// poolConfig is what a pool is made of.
type poolConfig struct {
	sessions, tenantSessions int
	idle, openWithin         time.Duration
	now                      func() time.Time
	dial                     func(ctx context.Context, to target, changed func()) (*session, error)
	// changed hears of servers whose tools may have changed.
	changed func(key egress.LaneKey)
}

// acquireTries is how many sessions are opened that end at once.
const acquireTries = 2

// pool holds the open sessions, one for each tenant, server and environment at
// most. It is safe for concurrent use; nothing slow is done under its mutex.
type pool struct {
	config  poolConfig
	opening singleflight.Group
	work    sync.WaitGroup // openings, closings and watches under way

	mu       sync.Mutex
	open     map[egress.LaneKey]*session
	reserved map[events.TenantID]int // sessions that are being opened
	closed   bool
}

func newPool(config poolConfig) *pool {
	return &pool{config: config, open: map[egress.LaneKey]*session{}, reserved: map[events.TenantID]int{}}
}

// acquire gives a session to use, and what ends that. It opens one where there
// is none that fits.
func (p *pool) acquire(ctx context.Context, to target) (*session, func(), error) {
	for range acquireTries {
		if found := p.take(to); found != nil {
			return found, func() { p.release(found) }, nil
		}
		opened, err := p.opened(ctx, to)
		if err != nil {
			return nil, nil, err
		}
		if p.use(opened) {
			return opened, func() { p.release(opened) }, nil
		}
	}
	return nil, nil, &openError{err: errEnded}
}

// take finds an open session that fits, and sends one that does not away.
func (p *pool) take(to target) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.open[to.key]
	if found == nil {
		return nil
	}
	if found.ended() || !found.to.same(to) || p.config.now().Sub(found.opened) > maxAge {
		p.detach(found)
		return nil
	}
	p.enter(found)
	return found
}

// use enters a session unless it has gone meanwhile.
func (p *pool) use(found *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found.gone {
		return false
	}
	p.enter(found)
	return true
}

func (p *pool) enter(found *session) {
	found.users++
	found.expiry.Stop()
}

func (p *pool) release(used *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if used.users--; used.users > 0 {
		return
	}
	used.left = p.config.now()
	if used.gone {
		p.shut(used)
		return
	}
	used.expiry.Reset(p.config.idle)
}

// opened opens a session once for all that ask for it; who cannot wait goes,
// and the session comes all the same.
func (p *pool) opened(ctx context.Context, to target) (*session, error) {
	name := string(to.key.Tenant) + "|" + to.key.Server + "|" + string(to.key.Environment) + "|" + hex.EncodeToString(to.place[:]) + "|" + to.token
	result := p.opening.DoChan(name, func() (any, error) {
		if err := p.reserve(to.key.Tenant); err != nil {
			return nil, err
		}
		defer p.work.Done()
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.config.openWithin)
		defer cancel()
		made, err := p.config.dial(within, to, func() { p.config.changed(to.key) })
		return made, p.admit(to, made, err)
	})
	select {
	case got := <-result:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*session), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// reserve finds room for one more session: of the tenant's idle ones the one
// that was left first makes room for its own, and of all for the tenant's.
func (p *pool) reserve(tenant events.TenantID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	own := func(held *session) bool { return held.to.key.Tenant == tenant }
	if p.count(own)+p.reserved[tenant] >= p.config.tenantSessions && !p.evict(own) {
		return crowded("this business has " + strconv.Itoa(p.config.tenantSessions) + " MCP servers")
	}
	opening := 0
	for _, n := range p.reserved {
		opening += n
	}
	if len(p.open)+opening >= p.config.sessions && !p.evict(func(*session) bool { return true }) {
		return crowded(strconv.Itoa(p.config.sessions) + " MCP servers")
	}
	p.reserved[tenant]++
	p.work.Add(1)
	return nil
}

func crowded(what string) error {
	return &egress.HeldError{Code: events.FaultProviderLimited, Again: time.Second, Why: what + " in use, which is the most at a time"}
}

func (p *pool) count(which func(*session) bool) int {
	n := 0
	for _, held := range p.open {
		if which(held) {
			n++
		}
	}
	return n
}

func (p *pool) evict(which func(*session) bool) bool {
	var idle []*session
	for _, held := range p.open {
		if held.users == 0 && which(held) {
			idle = append(idle, held)
		}
	}
	if len(idle) == 0 {
		return false
	}
	p.detach(slices.MinFunc(idle, func(a, b *session) int { return a.left.Compare(b.left) }))
	return true
}

// admit takes a session that was opened into the pool.
func (p *pool) admit(to target, made *session, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reserved[to.key.Tenant]--; p.reserved[to.key.Tenant] == 0 {
		delete(p.reserved, to.key.Tenant)
	}
	if err != nil {
		return err
	}
	made.left = p.config.now()
	made.expiry = time.AfterFunc(p.config.idle, func() { p.expire(made) })
	if p.closed {
		made.gone = true
		p.shut(made)
		return errClosed
	}
	if before := p.open[to.key]; before != nil {
		p.detach(before)
	}
	p.open[to.key] = made
	p.work.Go(func() {
		_ = made.speaker.Wait()
		close(made.over)
		p.retire(made)
	})
	p.config.changed(to.key)
	return nil
}

func (p *pool) expire(idle *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if idle.users == 0 && !idle.gone {
		p.detach(idle)
	}
}

// retire takes a session out of the pool: it is closed with its last user.
func (p *pool) retire(broken *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !broken.gone {
		p.detach(broken)
	}
}

// detach is called with the mutex held.
func (p *pool) detach(held *session) {
	held.gone = true
	if p.open[held.to.key] == held {
		delete(p.open, held.to.key)
	}
	if held.users == 0 {
		p.shut(held)
	}
}

// shut closes a session in the background. It is called once for each, with the
// mutex held.
func (p *pool) shut(held *session) {
	held.expiry.Stop()
	p.work.Go(held.shut)
}

// size is how many sessions are open.
func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// close ends all sessions, those in use too.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, held := range p.open {
		if held.users > 0 {
			held.end()
		}
		p.detach(held)
	}
	p.mu.Unlock()
}

// wait returns when nothing is under way any more, once the pool is closed and
// has no users.
func (p *pool) wait() { p.work.Wait() }
