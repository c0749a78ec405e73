package exporting

import "context"

// Told is what one round came to.
type Told struct {
	// Items is how many the other side took in this round.
	Items int64
	// Behind is how many of the ledger's numbers it has not been told of.
	Behind int64
	// Waiting are sums that nobody can be told of yet.
	Waiting int
	// Unlisted names usage that waits because the settings do not name it.
	Unlisted []string
}

// Teller tells one system. It is used by one goroutine at a time.
type Teller interface {
	// Tell returns when the system has been told of all that there is. It begins
	// nothing once fetch has ended, and gives up what is under way when work
	// ends; that is told again by the next round, by whichever replica. What it
	// returns beside an error counts too.
	Tell(fetch, work context.Context) (Told, error)
}

// Lease makes one of several replicas the one that tells a system.
type Lease interface {
	// Acquire returns once the holder has it, or ctx ends.
	Acquire(ctx context.Context, holder string) (Tenure, error)
}

// Tenure is a lease that is held.
type Tenure interface {
	// Lost is closed when it is over, at the latest when another may have it.
	Lost() <-chan struct{}
	// Release ends it so that a standby takes over at once.
	Release(ctx context.Context) error
}

// Observer hears how it goes. Implementations are safe for concurrent use.
type Observer interface {
	// Leads says whether this replica is the one that tells a system.
	Leads(destination string, yes bool)
	// Told says what came of a round.
	Told(destination string, told Told, err error)
}

// nobody is an observer where none is wanted.
type nobody struct{}

func (nobody) Leads(string, bool)       {}
func (nobody) Told(string, Told, error) {}

// free is the lease of whoever has no replica.
type free struct{}

func (free) Acquire(context.Context, string) (Tenure, error) { return free{}, nil }
func (free) Lost() <-chan struct{}                           { return nil }
func (free) Release(context.Context) error                   { return nil }
