package triggers

import (
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// Observer hears how triggers are told, for people to look at. Its methods must
// be quick; they come from several goroutines.
type Observer interface {
	// Delivers says whether this process is the one that tells. What Stands said
	// before is over.
	Delivers(yes bool)
	// Stands says how the deliveries are that wait, now and then.
	Stands(figures Figures)
	// Attempted says what came of one try, and how long the endpoint took.
	Attempted(outcome events.DeliveryOutcome, took time.Duration)
	// GivenUp is told of a delivery that is buried, by a reason from a small set.
	GivenUp(reason string)
	// Read says how many facts were looked at, and how many deliveries follow.
	Read(facts, deliveries int)
}

// Figures are how the deliveries of all triggers are.
type Figures struct {
	// Queued are those that wait or are under way, Inflight the latter.
	Queued, Inflight int
	// Down is how many triggers are taken for dead: their endpoints have failed
	// several times in a row.
	Down int
	// OldestWait is how long ago the oldest was taken in.
	OldestWait time.Duration
}

// nobody is who looks when nobody does.
type nobody struct{}

func (nobody) Delivers(bool)                                   {}
func (nobody) Stands(Figures)                                  {}
func (nobody) Attempted(events.DeliveryOutcome, time.Duration) {}
func (nobody) GivenUp(string)                                  {}
func (nobody) Read(int, int)                                   {}

func (r *round) show() {
	now := r.config.Now()
	figures := Figures{Queued: r.queue.Pending(trigger.Key{}), Inflight: r.queue.Inflight(), Down: r.queue.Down()}
	if oldest, ok := r.queue.Oldest(); ok {
		figures.OldestWait = max(now.Sub(oldest), 0)
	}
	r.config.Observer.Stands(figures)
}
