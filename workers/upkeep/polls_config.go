package upkeep

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fault"
	"github.com/feira-dev/feira/internal/poll"
)

// Defaults of [PollsConfig].
const (
	DefaultLook        = time.Second
	DefaultPollSlots   = 16
	DefaultPollBatches = 8
	DefaultPollLease   = 2 * time.Minute
	DefaultPollRest    = 10 * time.Minute
)

// PollsConfig is what [Polls] work with.
type PollsConfig struct {
	// ID tells this process from the others. Required.
	ID string
	// Records keeps what is known, and Follower tells of it. Required.
	Records  Records
	Follower Follower
	// Tenants says who is polled for. Required.
	Tenants Tenants
	// Asker asks the providers. Required.
	Asker Asker
	// Post takes in the news. Required.
	Post Post
	// Connection names a tenant's connection with a server. Required.
	Connection func(events.TenantID, string, events.Environment) string
	// Pauses say when an object is due again. Defaults to those of the kinds.
	Pauses poll.Pauses
	// Look is the pause between two looks for what is due. Defaults to a second.
	Look time.Duration
	// Slots is how many tenants are looked after at one time at each server, so
	// that one that does not answer holds up no other server. Defaults to 16.
	Slots int
	// Batches is how many requests are made for one tenant before it is another's
	// turn. Defaults to 8.
	Batches int
	// Lease is for how long a tenant's objects at a server are this process's: when
	// it dies, another looks after them from then on. Defaults to 2 min.
	Lease time.Duration
	// Rest is how long those of a tenant that is paused, or that lacks the server,
	// are left alone. Defaults to 10 min.
	Rest time.Duration
	// Pace is the least pause between two requests of a tenant's at a server.
	// Defaults to the plan's.
	Pace time.Duration
	// Observer hears of what was done. Defaults to nobody.
	Observer PollObserver
	// Logger hears of what could not be done. Defaults to nobody.
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

func (c PollsConfig) withDefaults() PollsConfig {
	c.Look = cmp.Or(c.Look, DefaultLook)
	c.Slots = cmp.Or(c.Slots, DefaultPollSlots)
	c.Batches = cmp.Or(c.Batches, DefaultPollBatches)
	c.Lease = cmp.Or(c.Lease, DefaultPollLease)
	c.Rest = cmp.Or(c.Rest, DefaultPollRest)
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c PollsConfig) Validate() error {
	faults := fault.In("upkeep: polls")
	faults.Missing("ID", c.ID == "")
	faults.Missing("Records", c.Records == nil)
	faults.Missing("Follower", c.Follower == nil)
	faults.Missing("Tenants", c.Tenants == nil)
	faults.Missing("Asker", c.Asker == nil)
	faults.Missing("Post", c.Post == nil)
	faults.Missing("Connection", c.Connection == nil)
	faults.Negative("Look", c.Look < 0)
	faults.Negative("Lease", c.Lease < 0)
	faults.Negative("Rest", c.Rest < 0)
	faults.Negative("Pace", c.Pace < 0)
	faults.Negative("Pauses.First", c.Pauses.First < 0)
	faults.Negative("Slots", c.Slots < 0)
	faults.Negative("Batches", c.Batches < 0)
	return faults.Join()
}
