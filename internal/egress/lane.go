package egress

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

// maxIdleLanes is how many lanes are remembered that nobody uses: those of
// servers in trouble, about 1 KiB each.
const maxIdleLanes = 8192

// MaxPause is the longest that one answer of a server keeps all calls of a
// tenant from it: what it asks beyond that is found out by asking again.
const MaxPause = time.Hour

// LaneConfig says how much passes a lane; all of it is required.
type LaneConfig struct {
	// Concurrency is how many tries may be under way on a lane.
	Concurrency int
	// QueueWait is how long a try waits for its turn.
	QueueWait time.Duration
	// BreakerFailures is how many tries have to fail in a row for the lane to
	// close, and BreakerOpen how long it stays so before one is let through.
	BreakerFailures int
	BreakerOpen     time.Duration
	// Now is the clock of pauses.
	Now func() time.Time
}

// LaneKey tells lanes apart. The environment is part of it: a sandbox that is
// down says nothing of the live host.
type LaneKey struct {
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
}

// Lane is the way of one tenant to one server. It bounds how much is under way
// on it, closes while the server is down, and pauses when the server asks for
// that. No tenant's lane is narrowed by another's.
type Lane struct {
	config  LaneConfig
	slots   *semaphore.Weighted
	breaker *gobreaker.CircuitBreaker[struct{}]
	users   int // calls that hold it, under the mutex of lanes

	mu     sync.Mutex
	opens  time.Time // when the breaker lets the next try pass
	paused time.Time // before which nothing is sent
}

// Lanes are those in use, and of the others those that remember something. It
// is safe for concurrent use.
type Lanes struct {
	config LaneConfig

	mu   sync.Mutex
	busy map[LaneKey]*Lane
	idle *simplelru.LRU[LaneKey, *Lane]
}

// NewLanes makes lanes that nobody has used.
func NewLanes(config LaneConfig) (*Lanes, error) {
	idle, err := simplelru.NewLRU[LaneKey, *Lane](maxIdleLanes, nil)
	if err != nil {
		return nil, fmt.Errorf("making the memory of lanes: %w", err)
	}
	return &Lanes{config: config, busy: map[LaneKey]*Lane{}, idle: idle}, nil
}

// Enter gives a lane for the length of a call, and what ends that. There are
// never two lanes of one key in use, and never more than there are calls under
// way and maxIdleLanes: one that has nothing to remember goes with its last
// user, and the longest idle one makes room.
func (l *Lanes) Enter(key LaneKey) (*Lane, func()) {
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

func (l *Lanes) leave(key LaneKey, left *Lane) {
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

// Size is how many lanes are in use, and how many are remembered.
func (l *Lanes) Size() (busy, idle int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.busy), l.idle.Len()
}

// What a try says of its server, for the breaker.
var (
	// ErrTrouble occurs when the server is down, or so slow that it might be.
	ErrTrouble = errors.New("the server is in trouble")
	// ErrNoWord occurs when the try tells nothing of it.
	ErrNoWord = errors.New("no word on the server")
)

func newLane(config LaneConfig) *Lane {
	made := &Lane{config: config, slots: semaphore.NewWeighted(int64(config.Concurrency))}
	made.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:     config.BreakerOpen,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return int(counts.ConsecutiveFailures) >= config.BreakerFailures },
		IsExcluded:  func(err error) bool { return errors.Is(err, ErrNoWord) },
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
func (l *Lane) remembers(now time.Time) bool {
	return l.breaker.State() != gobreaker.StateClosed || l.breaker.Counts().ConsecutiveFailures > 0 || l.PausedUntil().After(now)
}

// Pause keeps everything back until a time; it is never brought forward.
func (l *Lane) Pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.paused) {
		l.paused = until
	}
}

// PausedUntil is when the last pause ends.
func (l *Lane) PausedUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused
}

// opensIn is how long the breaker keeps everything back, at least a second:
// while it lets one try pass, to see, the others wait for what that brings.
func (l *Lane) opensIn() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(time.Until(l.opens), time.Second)
}
