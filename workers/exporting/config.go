package exporting

import (
	"log/slog"
	"time"

	"github.com/feira-dev/feira/internal/fault"
)

// Defaults of [Config].
const (
	DefaultEvery   = time.Minute
	DefaultRetry   = 5 * time.Second
	DefaultLongest = 5 * time.Minute
)

// Config is how one system is told.
type Config struct {
	// Destination is the system's name, for people. Required.
	Destination string
	// Teller tells it. Required.
	Teller Teller
	// ID names this replica, for people. Defaults to the destination.
	ID string
	// Lease is contended for by the replicas. Defaults to none: there is no other.
	Lease Lease
	// Every is the pause after a round that went well. Defaults to a minute.
	Every time.Duration
	// Retry is the pause after the first round that failed. It doubles up to
	// Longest. They default to 5 s and 5 min.
	Retry, Longest time.Duration
	// Timeout bounds giving the lease back. Defaults to 2 s.
	Timeout time.Duration
	// Observer hears how it goes. Defaults to nobody.
	Observer Observer
	// Logger hears of rounds that failed. Defaults to a silent one.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	for field, value := range map[*time.Duration]time.Duration{
		&c.Every: DefaultEvery, &c.Retry: DefaultRetry, &c.Longest: DefaultLongest, &c.Timeout: 2 * time.Second,
	} {
		if *field == 0 {
			*field = value
		}
	}
	if c.ID == "" {
		c.ID = c.Destination
	}
	if c.Lease == nil {
		c.Lease = free{}
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	faults := fault.In("exporting")
	faults.Missing("Destination", c.Destination == "")
	faults.Missing("Teller", c.Teller == nil)
	faults.Negative("Every", c.Every < 0)
	faults.Negative("Retry", c.Retry < 0)
	faults.Negative("Longest", c.Longest < 0)
	faults.Negative("Timeout", c.Timeout < 0)
	return faults.Join()
}
