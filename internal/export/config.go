package export

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/usage"
)

// Source is where usage is read. What it says of a number never changes.
type Source interface {
	Items(ctx context.Context, filter usage.ItemFilter, hear func(usage.Item) error) error
	LastNumber(ctx context.Context) (int64, error)
}

// Progress keeps how far exports have come, in the database of the [Source].
type Progress interface {
	OpenExport(ctx context.Context, name, settings string) (usage.Export, error)
	Exports(ctx context.Context) ([]usage.Export, error)
	PlanExport(ctx context.Context, name string, limit int64) (usage.Export, error)
	AdvanceExport(ctx context.Context, taken usage.Export, items int64) error
}

// Windows keeps the sums of those that are told of sums.
type Windows interface {
	GatherExport(ctx context.Context, taken usage.Export, items int64, windows map[usage.WindowKey]usage.Change) error
	Windows(ctx context.Context, name string) ([]usage.Window, error)
	CutSend(ctx context.Context, export string, window usage.Window, name func(version int64) string) error
}

// Sends keeps what became of the sums that left.
type Sends interface {
	Sends(ctx context.Context, export string, states ...usage.SendState) ([]usage.Send, error)
	MarkSend(ctx context.Context, export string, send usage.Send) error
}

// Books are all of these; the ledger is.
type Books interface {
	Source
	Progress
	Windows
	Sends
}

// Config is how an exporter is made.
type Config struct {
	Settings Settings
	Books    Books
	// Zone cuts billing periods: no hour that Stripe is told of is in two.
	Zone *time.Location
	// Key is the other side's API key, or the secret that signs a webhook. It is
	// in no error and no log.
	Key string
	// Wire is the way out. Defaults to [egress.OperatorWire]: whoever writes the
	// settings chooses the host.
	Wire *egress.Wire
	// Tries is how often one request is made before the run ends, Pause how long
	// it waits before the second try; it doubles. Default to 4 and 250 ms.
	Tries int
	Pause time.Duration
	// Timeout bounds one try. Defaults to 20 s.
	Timeout time.Duration
	// Logger hears of what is told again. Defaults to a silent one.
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	c.Settings = c.Settings.withDefaults()
	if c.Wire == nil {
		c.Wire = egress.OperatorWire(nil)
	}
	if c.Tries == 0 {
		c.Tries = 4
	}
	if c.Pause == 0 {
		c.Pause = 250 * time.Millisecond
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
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
	var faults []error
	if c.Books == nil {
		faults = append(faults, errors.New("books is missing"))
	}
	if c.Zone == nil {
		faults = append(faults, errors.New("zone is missing"))
	}
	if c.Key == "" && c.Settings.NeedsKey() {
		faults = append(faults, errors.New("key is missing; set FEIRA_EXPORT_KEY"))
	}
	return errors.Join(append(faults, c.Settings.Validate())...)
}

// client follows no redirects: a credential goes to the host that the operator
// named and to no other.
func (c Config) client() *http.Client {
	return &http.Client{
		Transport: c.Wire.Pooled, Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
