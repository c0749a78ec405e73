package triggers

import (
	"cmp"
	"errors"
	"log/slog"
	"time"
)

// Defaults of [FanConfig].
const (
	DefaultSave   = 250 * time.Millisecond
	DefaultBounds = 5 * time.Second
)

// FanConfig is what a [Fan] needs.
type FanConfig struct {
	// ID names this process among those that may read the log. Required.
	ID string
	// Lease, Book, Facts, Cursor and Publisher are required. The book has to have
	// caught up.
	Lease     Lease
	Book      Book
	Facts     Facts
	Cursor    Cursor
	Publisher Publisher
	// Save is how often the cursor is written while nothing is told. Defaults to
	// [DefaultSave].
	Save time.Duration
	// Timeout bounds the writes at a stop. Defaults to [DefaultBounds].
	Timeout time.Duration
	// Retry is the pause after a failure of the broker. Defaults to a second.
	Retry time.Duration
	// Observer hears how much is read. Defaults to nobody.
	Observer Observer
	// Logger hears of facts that cannot be told. Defaults to nobody.
	Logger *slog.Logger
}

func (c FanConfig) withDefaults() FanConfig {
	c.Save = cmp.Or(c.Save, DefaultSave)
	c.Timeout = cmp.Or(c.Timeout, DefaultBounds)
	c.Retry = cmp.Or(c.Retry, DefaultRetry)
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c FanConfig) Validate() error {
	var faults []error
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"ID", c.ID == ""},
		{"Lease", c.Lease == nil},
		{"Book", c.Book == nil},
		{"Facts", c.Facts == nil},
		{"Cursor", c.Cursor == nil},
		{"Publisher", c.Publisher == nil},
	} {
		if field.missing {
			faults = append(faults, errors.New("triggers: fan: "+field.name+" is missing"))
		}
	}
	if c.Save < 0 || c.Timeout < 0 || c.Retry < 0 {
		faults = append(faults, errors.New("triggers: fan: Save, Timeout or Retry is negative"))
	}
	return errors.Join(faults...)
}
