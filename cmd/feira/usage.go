package main

import (
	"io"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

// usageCommand is "feira usage".
type usageCommand struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose usage is added up."`
	Month  string          `help:"Month to add up, as 2026-11; the current one when empty."`
}

func (c *usageCommand) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	used, err := o.Usage(i.ctx, c.Tenant, c.Month)
	if err != nil {
		return err
	}
	return i.show(used, func(w io.Writer) { writeUsage(w, used) })
}

func writeUsage(w io.Writer, used app.Usage) {
	say(w, "%s\t%s", used.Tenant, used.Period)
	writeBill(w, used.Bill)
}
