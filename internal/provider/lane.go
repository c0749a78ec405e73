package provider

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"

	"github.com/feira-dev/feira/events"
)

const (
	// maxIdleLanes is how many lanes are remembered that nobody uses: those of
	// providers in trouble, about 1 KiB each.
	maxIdleLanes = 8192
	// maxPause is the longest that one answer of a provider keeps all calls of a
	// tenant from it: what it asks beyond that is found out by asking again.
	maxPause = time.Hour
)

// laneKey tells lanes apart. The environment is part of it: a sandbox that is
// down says nothing of the live host.
type laneKey struct {
	tenant events.TenantID
	server string
	env    events.Environment
}

// lane is the way of one tenant to one server. It bounds how much is under way
// on it, closes while the server is down, and pauses when the server asks for
// that. No tenant's lane is narrowed by another's.
type lane struct {
	slots   *semaphore.Weighted
	breaker *gobreaker.CircuitBreaker[answer]
	users   int // calls that hold it, under the mutex of lanes

	mu     sync.Mutex
	opens  time.Time // when the breaker lets the next try pass
	paused time.Time // before which nothing is sent
}

// lanes are those in use, and of the others those that remember something. It
// is safe for concurrent use.
type lanes struct {
	config Config

	mu   sync.Mutex
	busy map[laneKey]*lane
	idle *simplelru.LRU[laneKey, *lane]
}

func newLanes(config Config) (*lanes, error) {
	idle, err := simplelru.NewLRU[laneKey, *lane](maxIdleLanes, nil)
	if err != nil {
		return nil, fmt.Errorf("making the memory of lanes: %w", err)
	}
	return &lanes{config: config, busy: map[laneKey]*lane{}, idle: idle}, nil
}

// enter gives a lane for the length of a call, and what ends that. There are
// never two lanes of one key in use, and never more than there are calls under
// way and maxIdleLanes: one that has nothing to remember goes with its last
// user, and the longest idle one makes room.
func (l *lanes) enter(key laneKey) (*lane, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entered, ok := l.busy[key]
	if !ok {
		if entered, ok = l.idle.Peek(key); ok {
			l.idle.Remove(key)
		} else {
			entered = newLane(l.config)
		}
		l.busy[key] = entered
	}
	entered.users++
	return entered, func() { l.leave(key, entered) }
}

func (l *lanes) leave(key laneKey, left *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left.users--; left.users > 0 {
		return
	}
	delete(l.busy, key)
	if left.remembers(l.config.Now()) {
		l.idle.Add(key, left)
	}
}

func (l *lanes) size() (busy, idle int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.busy), l.idle.Len()
}

// What a try says of its server, for the breaker.
var (
	// errTrouble: the server is down, or so slow that it might be.
	errTrouble = errors.New("the server is in trouble")
	// errNoWord: the try tells nothing of it.
	errNoWord = errors.New("no word on the server")
)

func newLane(config Config) *lane {
	made := &lane{slots: semaphore.NewWeighted(int64(config.Concurrency))}
	made.breaker = gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
		Timeout:     config.BreakerOpen,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return int(counts.ConsecutiveFailures) >= config.BreakerFailures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNoWord) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				made.mu.Lock()
				defer made.mu.Unlock()
				made.opens = time.Now().Add(config.BreakerOpen)
			}
		},
	})
	return made
}

// remembers reports whether a new lane in its place would behave otherwise.
func (l *lane) remembers(now time.Time) bool {
	return l.breaker.State() != gobreaker.StateClosed || l.breaker.Counts().ConsecutiveFailures > 0 || l.pausedUntil().After(now)
}

// pause keeps everything back until a time; it is never brought forward.
func (l *lane) pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.paused) {
		l.paused = until
	}
}

func (l *lane) pausedUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused
}

// opensIn is how long the breaker keeps everything back, at least a second:
// while it lets one try pass, to see, the others wait for what that brings.
func (l *lane) opensIn() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(time.Until(l.opens), time.Second)
}
