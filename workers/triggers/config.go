package triggers

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/fault"
	"github.com/feira-dev/feira/internal/trigger"
)

// Defaults of [Config].
const (
	DefaultBacklog = 50_000
	DefaultSweep   = time.Minute
	DefaultRetry   = time.Second
	DefaultShow    = 5 * time.Second
)

// Config is what a [Courier] needs.
type Config struct {
	// ID names this process among those that may deliver. Required.
	ID string
	// Lease, Book, Pending, Journal, Attempts, Cemetery, Registry and Safe are
	// required.
	Lease    Lease
	Book     Book
	Pending  Pending
	Journal  Publisher
	Attempts Attempts
	Cemetery Cemetery
	Registry Registry
	Safe     Safe
	// Transport dials endpoints: public addresses alone, unless an operator said
	// otherwise. It is handed one request at a time and follows no redirection.
	// Required.
	Transport http.RoundTripper
	// Queue says how much is told at a time.
	Queue trigger.QueueConfig
	// Backlog is how many deliveries may wait for one trigger; what comes beyond
	// is given up. Defaults to [DefaultBacklog].
	Backlog int
	// Timeout is how long an endpoint has. Defaults to [trigger.Timeout].
	Timeout time.Duration
	// Sweep is how often what has no prospect is looked for. Defaults to a minute.
	Sweep time.Duration
	// Retry is the pause after a failure of the broker. Defaults to a second.
	Retry time.Duration
	// Observer hears how deliveries are, each Show. Default to nobody and to
	// [DefaultShow].
	Observer Observer
	Show     time.Duration
	// Logger hears of what goes wrong. Defaults to nobody.
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	c.Backlog = cmp.Or(c.Backlog, DefaultBacklog)
	c.Timeout = cmp.Or(c.Timeout, trigger.Timeout)
	c.Sweep = cmp.Or(c.Sweep, DefaultSweep)
	c.Retry = cmp.Or(c.Retry, DefaultRetry)
	c.Show = cmp.Or(c.Show, DefaultShow)
	if c.Observer == nil {
		c.Observer = nobody{}
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
func (c Config) Validate() error {
	faults := fault.In("triggers")
	faults.Missing("ID", c.ID == "")
	faults.Missing("Lease", c.Lease == nil)
	faults.Missing("Book", c.Book == nil)
	faults.Missing("Pending", c.Pending == nil)
	faults.Missing("Journal", c.Journal == nil)
	faults.Missing("Attempts", c.Attempts == nil)
	faults.Missing("Cemetery", c.Cemetery == nil)
	faults.Missing("Registry", c.Registry == nil)
	faults.Missing("Safe", c.Safe == nil)
	faults.Missing("Transport", c.Transport == nil)
	faults.Negative("Backlog", c.Backlog < 0)
	faults.Negative("Timeout", c.Timeout < 0)
	faults.Negative("Sweep", c.Sweep < 0)
	faults.Negative("Retry", c.Retry < 0)
	faults.Negative("Show", c.Show < 0)
	return faults.Join(c.Queue.Validate())
}
