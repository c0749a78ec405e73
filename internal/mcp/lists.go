package mcp

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
)

const (
	// maxLists is how many lists are remembered, of at most maxListBytes each.
	maxLists = 512
	// listRetry is how long a list that could not be had is not asked for again.
	listRetry = 30 * time.Second
	// listKeep is how long a list serves while no newer one can be had: a call
	// that says "cannot be reached" tells a model more than a tool that is gone.
	listKeep = time.Hour
)

// fetchFunc asks a server for its tools, or says what a call comes to without.
type fetchFunc func(ctx context.Context, to target) (*toolset, *agent.Result)

// lists remembers the tools of servers. It is safe for concurrent use.
type lists struct {
	config Config
	fetch  fetchFunc
	asking singleflight.Group
	work   sync.WaitGroup

	mu   sync.Mutex
	held *simplelru.LRU[egress.LaneKey, *list]
}

// list is what is known of one server's tools, under the mutex of lists.
type list struct {
	set     *toolset // nil when it was never had
	fetched time.Time
	stale   bool
	failure *agent.Result // of the last time that it was asked for
	failed  time.Time
	place   fingerprint
	// changes counts what the server said of changes, so that a list that was
	// asked for before one is not taken to be of after it.
	changes uint64
}

func newLists(config Config, fetch fetchFunc) (*lists, error) {
	held, err := simplelru.NewLRU[egress.LaneKey, *list](maxLists, nil)
	if err != nil {
		return nil, err
	}
	return &lists{config: config, fetch: fetch, held: held}, nil
}

// changed marks a list as one to ask for again.
func (l *lists) changed(key egress.LaneKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.held.Peek(key); ok {
		known.changes++
		known.stale = true
		known.failure = nil
	}
}

// known is the entry of a target, a fresh one where the attachment changed.
func (l *lists) known(to target) *list {
	if found, ok := l.held.Get(to.key); ok && found.place == to.place {
		return found
	}
	made := &list{place: to.place}
	l.held.Add(to.key, made)
	return made
}

// remembered is what is good enough not to ask.
func (l *lists) remembered(to target) (*toolset, *agent.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, now := l.known(to), l.config.Now()
	switch {
	case known.set != nil && !known.stale && now.Sub(known.fetched) < l.config.ListTTL:
		return known.set, nil
	case known.failure != nil && now.Sub(known.failed) < listRetry:
		return known.lasting(now)
	default:
		return nil, nil
	}
}

// lasting is what serves while the server cannot be asked.
func (k *list) lasting(now time.Time) (*toolset, *agent.Result) {
	if k.set != nil && now.Sub(k.fetched) < listKeep {
		return k.set, nil
	}
	return nil, k.failure
}

// get tells a server's tools, or why that cannot be done.
func (l *lists) get(ctx context.Context, to target) (*toolset, *agent.Result) {
	if set, failed := l.remembered(to); set != nil || failed != nil {
		return set, failed
	}
	type answer struct {
		set    *toolset
		failed *agent.Result
	}
	name := string(to.key.Tenant) + "|" + to.key.Server + "|" + string(to.key.Environment) + "|" + string(to.place[:])
	l.work.Add(1)
	result := l.asking.DoChan(name, func() (any, error) {
		set, failed := l.ask(context.WithoutCancel(ctx), to)
		return answer{set, failed}, nil
	})
	done := make(chan struct{})
	var got answer
	go func() {
		defer l.work.Done()
		got, _ = (<-result).Val.(answer)
		close(done)
	}()
	select {
	case <-done:
		return got.set, got.failed
	case <-ctx.Done():
		failed := failure(events.FaultProviderTimeout, to.key.Server+" did not tell its tools in time; nothing was sent")
		return nil, &failed
	}
}

func (l *lists) ask(ctx context.Context, to target) (*toolset, *agent.Result) {
	ctx, cancel := context.WithTimeout(ctx, l.config.ConnectTimeout)
	defer cancel()
	set, failed := l.fetch(ctx, to)
	l.mu.Lock()
	defer l.mu.Unlock()
	known, now := l.known(to), l.config.Now()
	if failed != nil {
		if failed.Fault.Code == events.FaultNoCredential {
			return nil, failed // the vault is asked again: it may have one at any time
		}
		known.failure, known.failed = failed, now
		return known.lasting(now)
	}
	known.set, known.fetched, known.failure = set, now, nil
	known.stale = known.changes != set.asOf
	return set, nil
}

// changes is how often a server has said that its tools changed.
func (l *lists) changes(to target) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known(to).changes
}

// wait returns when nobody is asked any more.
func (l *lists) wait() { l.work.Wait() }
