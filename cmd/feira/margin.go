package main

import (
	"errors"
	"io"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

type invoiceMargin struct {
	monthFlags

	Tenant events.TenantID `arg:"" optional:"" help:"Only this tenant; every one with usage in the month when it is left out."`
}

// Run warns of every tenant that costs more than it pays, and tells of the
// others also when one cannot be told of.
func (c *invoiceMargin) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	margins, err := o.Margins(i.ctx, c.params(c.Tenant))
	shown := i.show(map[string]any{"margins": margins}, func(w io.Writer) {
		writeTable(w, []column[app.Margin]{
			{"TENANT", func(m app.Margin) string { return string(m.Tenant) }},
			{"PERIOD", func(m app.Margin) string { return m.Period }},
			{"PRICE", func(m app.Margin) string { return m.Price.Total.Text() }},
			{"COST", func(m app.Margin) string { return m.Cost.Total.Text() }},
			{"MARGIN", func(m app.Margin) string { return m.Currency + " " + m.Margin.Text() }},
		}, margins)
	})
	for _, margin := range margins {
		if margin.Negative {
			say(i.err, "warning: %s costs more than it pays: %s %s in %s", margin.Tenant, margin.Currency, margin.Margin.Text(), margin.Period)
		}
		if margin.Uncosted {
			say(i.err, "warning: the cost of a part of what %s used is not known: no price of the cost card takes it", margin.Tenant)
		}
	}
	return errors.Join(err, shown)
}
