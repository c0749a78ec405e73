package waits

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config is what a hub is made of.
type Config struct {
	Feed Feed
	Log  Log
	// Deltas is where text of the model is heard. Defaults to nowhere.
	Deltas Deltas
	Logger *slog.Logger
	// Look is about how often the end of the log is looked at for each session
	// that is waited for: every time after two to five thirds of it, at random.
	// It bounds how late a record is that the feed lost and none came after. At
	// least 10 ms. Defaults to 3 s.
	Look time.Duration
	// Room is how many records are held for a reader that is slow; beyond it
	// the reader goes on from the log. Defaults to 64.
	Room int
	// Reads is how many reads of the log go on at one time. Defaults to 64.
	Reads int
}

// Defaults and limits.
const (
	defaultLook  = 3 * time.Second
	minLook      = 10 * time.Millisecond
	defaultRoom  = 64
	defaultReads = 64
)

func (c Config) withDefaults() Config {
	c.Look = cmp.Or(c.Look, defaultLook)
	c.Room = cmp.Or(c.Room, defaultRoom)
	c.Reads = cmp.Or(c.Reads, defaultReads)
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	if c.Feed == nil || c.Log == nil || c.Logger == nil {
		faults = append(faults, fmt.Errorf("%w: feed, log and logger are needed", ErrInvalidConfig))
	}
	if c.Look != 0 && c.Look < minLook {
		faults = append(faults, fmt.Errorf("%w: look is %s, want %s or more", ErrInvalidConfig, c.Look, minLook))
	}
	if c.Room < 0 {
		faults = append(faults, fmt.Errorf("%w: room is %d", ErrInvalidConfig, c.Room))
	}
	if c.Reads < 0 {
		faults = append(faults, fmt.Errorf("%w: reads is %d", ErrInvalidConfig, c.Reads))
	}
	return errors.Join(faults...)
}
