package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// bench is one measurement in an empty world of its own.
type bench struct {
	name string
	run  func(ctx context.Context, w *world, report *Report) error
}

// benches is the table of what can be measured, in the order of "all".
func benches() []bench {
	return []bench{
		{"throughput", throughput},
		{"latency", latency},
		{"fairness", fairness},
		{"flood", flood},
		{"scale", scale},
		{"failover", failover},
		{"turns", turnover},
		{"metering", meter},
		{"http", gate},
		{"webhooks", receive},
	}
}

// Names lists what can be measured.
func Names() []string {
	var names []string
	for _, b := range benches() {
		names = append(names, b.name)
	}
	return names
}

// Run measures what is named, all where nothing is. After an error the report
// holds what was measured before.
func Run(ctx context.Context, config Config, names ...string) (Report, error) {
	report := Report{Broker: "outer", Machine: thisMachine()}
	if config.URL == "" {
		syncs := false
		report.Broker, report.SyncAlways = "embedded", &syncs
	}
	if err := config.Validate(); err != nil {
		return report, err
	}
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return report, fmt.Errorf("%w: %q, want some of %s", ErrUnknown, name, strings.Join(Names(), ", "))
		}
	}
	config = config.withDefaults()
	config.Logger = calm(ctx, config.Logger)
	begun := time.Now()
	for _, b := range benches() {
		if len(names) > 0 && !slices.Contains(names, b.name) {
			continue
		}
		config.Progress(b.name)
		if err := b.measure(ctx, config, &report); err != nil {
			return report, fmt.Errorf("measuring %s: %w", b.name, err)
		}
	}
	report.Seconds = round(time.Since(begun).Seconds())
	return report, nil
}

func (b bench) measure(ctx context.Context, config Config, report *Report) error {
	w, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer w.close(ctx)
	if report.Machine.Server == "" {
		kv, err := w.buckets(ctx)
		if err != nil {
			return err
		}
		report.Machine.Server = kv.ServerVersion()
	}
	return b.run(ctx, w, report)
}
