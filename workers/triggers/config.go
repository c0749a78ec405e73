package triggers

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

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
	// Lease, Book, Pending, Journal, Cemetery, Registry and Safe are required.
	Lease    Lease
	Book     Book
	Pending  Pending
	Journal  Publisher
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
	return errors.Join(slices.Concat(
		faults("triggers", "is missing",
			field{"ID", c.ID == ""}, field{"Lease", c.Lease == nil}, field{"Book", c.Book == nil},
			field{"Pending", c.Pending == nil}, field{"Journal", c.Journal == nil}, field{"Cemetery", c.Cemetery == nil},
			field{"Registry", c.Registry == nil}, field{"Safe", c.Safe == nil}, field{"Transport", c.Transport == nil}),
		faults("triggers", "is negative",
			field{"Backlog", c.Backlog < 0}, field{"Timeout", c.Timeout < 0}, field{"Sweep", c.Sweep < 0},
			field{"Retry", c.Retry < 0}, field{"Show", c.Show < 0}),
		[]error{c.Queue.Validate()},
	)...)
}

// field is one of a configuration, and whether it breaks a rule.
type field struct {
	name   string
	broken bool
}

// faults are one for each field of a part that breaks a rule.
func faults(part, rule string, fields ...field) []error {
	var found []error
	for _, each := range fields {
		if each.broken {
			found = append(found, errors.New(part+": "+each.name+" "+rule))
		}
	}
	return found
}
