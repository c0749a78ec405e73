package triggers

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/internal/fault"
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
	faults := fault.In("triggers: fan")
	faults.Missing("ID", c.ID == "")
	faults.Missing("Lease", c.Lease == nil)
	faults.Missing("Book", c.Book == nil)
	faults.Missing("Facts", c.Facts == nil)
	faults.Missing("Cursor", c.Cursor == nil)
	faults.Missing("Publisher", c.Publisher == nil)
	faults.Negative("Save", c.Save < 0)
	faults.Negative("Timeout", c.Timeout < 0)
	faults.Negative("Retry", c.Retry < 0)
	return faults.Join()
}
