package export

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/internal/usage"
)

// sink is one kind of system that is told of each item.
type sink interface {
	// send hands a batch over. It returns nil when the other side has taken
	// every item, now or before.
	send(ctx context.Context, batch batch) error
	// look asks the other side what it has of these sums. [errNoWord]: it cannot
	// be asked.
	look(ctx context.Context, ours []Sum) ([]Sum, error)
}

// batch is the items of some numbers of an export. Told again it is the same.
type batch struct {
	export         string
	after, through int64
	items          []usage.Item
}

// Exporter is one export. It belongs to one goroutine; several processes may
// run one of the same name, and tell some things twice.
type Exporter struct {
	config Config
	sink   sink    // nil for Stripe
	stripe *stripe // nil for the others
}

// New makes an exporter. Close it.
func New(config Config) (*Exporter, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("making an export: %w", err)
	}
	config = config.withDefaults()
	made := &Exporter{config: config}
	switch config.Settings.Kind {
	case KindOpenMeter:
		made.sink = newOpenMeter(config)
	case KindLago:
		made.sink = newLago(config)
	case KindWebhook:
		signer, err := parseSecret(config.Key)
		if err != nil {
			return nil, fmt.Errorf("making an export: %w", err)
		}
		made.sink = newWebhook(config, signer)
	case KindCSV:
		made.sink = folder{dir: config.Settings.Dir, format: csvFormat{}}
	case KindParquet:
		made.sink = folder{dir: config.Settings.Dir, format: parquetFormat{}}
	case KindStripe:
		made.stripe = newStripe(config)
	}
	return made, nil
}

// Close drops idle connections.
func (e *Exporter) Close() { e.config.Wire.Close() }

// Report is what a run came to.
type Report struct {
	Export string `json:"export"`
	Sink   Kind   `json:"sink"`
	// Cursor is the number up to which everything is taken, Last the ledger's.
	Cursor int64 `json:"cursor"`
	Last   int64 `json:"last"`
	// Items and Batches are those of this run.
	Items   int64 `json:"items"`
	Batches int   `json:"batches"`
	// Sends counts what left as sums in this run, by what became of it.
	Sends map[usage.SendState]int `json:"sends,omitempty"`
	// Waiting are sums that nobody can be told of yet: their hour goes on, or
	// Unlisted says what the settings do not name.
	Waiting  int      `json:"waiting"`
	Unlisted []string `json:"unlisted,omitempty"`
}

// filter is whose usage is told. Files and webhooks get what nobody pays for,
// too, and say so.
func (s Settings) filter() usage.ItemFilter {
	filter := usage.ItemFilter{Environment: s.Environment}
	switch s.Kind {
	case KindOpenMeter, KindStripe, KindLago:
		filter.Billable = true
	case KindWebhook, KindCSV, KindParquet:
	}
	return filter
}

// Run tells the other side of everything that the ledger has, and returns when
// it has taken it. What is under way when ctx ends, or the process, is told
// again by the next run.
func (e *Exporter) Run(ctx context.Context) (Report, error) { return e.RunUntil(ctx, ctx) }

// RunUntil is [Exporter.Run] that begins no other batch, and tells of no other
// sum, once fetch has ended; what is under way then ends as long as ctx lasts.
func (e *Exporter) RunUntil(fetch, ctx context.Context) (Report, error) {
	settings := e.config.Settings
	report := Report{Export: settings.Name, Sink: settings.Kind}
	at, err := e.config.Books.OpenExport(ctx, settings.Name, settings.pinned())
	if err != nil {
		return report, err
	}
	report.Cursor = at.Cursor
	if report.Last, err = e.config.Books.LastNumber(ctx); err != nil {
		return report, err
	}
	for {
		if fetch.Err() != nil {
			return report, context.Cause(fetch)
		}
		planned, err := e.config.Books.PlanExport(ctx, settings.Name, settings.Batch)
		if err != nil {
			return report, err
		}
		report.Cursor = planned.Cursor
		if planned.Planned == planned.Cursor {
			break
		}
		if err := e.step(ctx, planned, &report); err != nil {
			return report, fmt.Errorf("export %s, numbers %d to %d: %w", settings.Name, planned.Cursor+1, planned.Planned, err)
		}
	}
	if report.Last, err = e.config.Books.LastNumber(ctx); err != nil {
		return report, err
	}
	if e.stripe != nil {
		err = e.stripe.dispatch(fetch, ctx, &report)
	}
	return report, err
}

func (e *Exporter) step(ctx context.Context, planned usage.Export, report *Report) error {
	filter := e.config.Settings.filter()
	filter.After, filter.Through = planned.Cursor, planned.Planned
	told := batch{export: planned.Name, after: planned.Cursor, through: planned.Planned}
	err := e.config.Books.Items(ctx, filter, func(item usage.Item) error {
		told.items = append(told.items, item)
		return nil
	})
	if err != nil {
		return err
	}
	if e.stripe != nil {
		err = e.stripe.gather(ctx, planned, told.items)
	} else if len(told.items) > 0 {
		if err = e.sink.send(ctx, told); err == nil {
			err = e.config.Books.AdvanceExport(ctx, planned, int64(len(told.items)))
		}
	} else {
		err = e.config.Books.AdvanceExport(ctx, planned, 0)
	}
	if err != nil {
		return err
	}
	report.Items += int64(len(told.items))
	report.Batches++
	return nil
}
