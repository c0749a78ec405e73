package main

import (
	"io"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/trigger"
)

// triggerCommand is "feira trigger".
type triggerCommand struct {
	Create     triggerCreate     `cmd:"" help:"Have an endpoint told what a tenant's agents do; print its secret, this once."`
	List       triggerList       `cmd:"" help:"List a tenant's triggers, without their secrets."`
	Pause      triggerPause      `cmd:"" help:"Hold what a trigger is to be told."`
	Resume     triggerResume     `cmd:"" help:"Let a trigger tell again, one that was stopped too."`
	Delete     triggerDelete     `cmd:"" help:"Delete a trigger with all that waits for it."`
	Rotate     triggerRotate     `cmd:"" help:"Make a new secret and print it, this once; the old one signs beside it for a day."`
	Test       triggerTest       `cmd:"" help:"Have the endpoint told something."`
	Deliveries triggerDeliveries `cmd:"" help:"List the last deliveries, the newest first."`
	Replay     triggerReplay     `cmd:"" help:"Have the endpoint told again what was given up or delivered."`
}

// triggerOf names a trigger on the command line.
type triggerOf struct {
	Tenant  events.TenantID  `arg:"" help:"Tenant whose trigger it is."`
	Trigger events.TriggerID `arg:"" help:"The trigger, by its id: trg_..."`
}

// triggers asks the operator of the tenant's triggers.
func (i *invocation) triggers(owner events.TenantID, ask func(*app.TriggerOperator) error) error {
	o := i.operator()
	defer o.Close()
	of, err := o.Triggers(i.ctx, owner)
	if err != nil {
		return err
	}
	return ask(of)
}

type triggerCreate struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose endpoint it is."`
	URL    string          `arg:"" name:"url" help:"The endpoint: an https address that anybody can reach."`
	Event  string          `default:"*" help:"What is told: a name as payment.confirmed, payment.* or *."`
	Server string          `help:"Leave in only what this server did."`
	Name   string          `help:"What people call the trigger. Defaults to the pattern."`
}

// Run prints the secret on standard output and nothing else, as "feira key
// create" does.
func (c *triggerCreate) Run(i *invocation) error {
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		name := c.Name
		if name == "" {
			name = c.Event
		}
		made, secret, err := of.Open(i.ctx, app.TriggerDraft{Name: name, Event: c.Event, Server: c.Server, URL: c.URL})
		if err != nil {
			return err
		}
		return i.tellSecret(made, secret, "created")
	})
}

func (i *invocation) tellSecret(of trigger.Trigger, secret, done string) error {
	if i.json {
		row := newTriggerRow(of)
		row.Secret = secret
		return writeJSON(i.out, row)
	}
	say(i.out, "%s", secret)
	say(i.err, "%s %s (%s, %s); the secret is not shown again", done, of.ID, of.Tenant, of.Event)
	return nil
}

type triggerList struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose triggers they are."`
}

func (c *triggerList) Run(i *invocation) error {
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		all, err := of.List(i.ctx)
		if err != nil {
			return err
		}
		rows := make([]triggerRow, len(all))
		for n, one := range all {
			rows[n] = newTriggerRow(one)
		}
		return i.show(map[string]any{"triggers": rows}, func(w io.Writer) {
			writeTable(w, []column[trigger.Trigger]{
				{"TRIGGER", func(t trigger.Trigger) string { return string(t.ID) }},
				{"NAME", func(t trigger.Trigger) string { return oneLine(t.Name) }},
				{"EVENT", func(t trigger.Trigger) string { return t.Event }},
				{"SERVER", func(t trigger.Trigger) string { return t.Server }},
				{"STATUS", func(t trigger.Trigger) string { return string(t.Status) }},
				{"ENDPOINT", func(t trigger.Trigger) string { return oneLine(t.URL) }},
				{"CREATED", func(t trigger.Trigger) string { return moment(t.CreatedAt) }},
			}, all)
		})
	})
}

type triggerPause struct {
	triggerOf `embed:""`
}

func (c *triggerPause) Run(i *invocation) error {
	return c.set(i, trigger.StatusPaused, "paused")
}

type triggerResume struct {
	triggerOf `embed:""`
}

func (c *triggerResume) Run(i *invocation) error {
	return c.set(i, trigger.StatusActive, "resumed")
}

func (c *triggerOf) set(i *invocation, status trigger.Status, done string) error {
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		changed, err := of.Set(i.ctx, c.Trigger, status)
		if err != nil {
			return err
		}
		return i.show(newTriggerRow(changed), func(w io.Writer) { say(w, "%s %s", done, changed.ID) })
	})
}

type triggerDelete struct {
	triggerOf `embed:""`
}

func (c *triggerDelete) Run(i *invocation) error {
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		if err := of.Delete(i.ctx, c.Trigger); err != nil {
			return err
		}
		return i.show(map[string]any{"deleted": c.Trigger}, func(w io.Writer) { say(w, "deleted %s", c.Trigger) })
	})
}

type triggerRotate struct {
	triggerOf `embed:""`
}

func (c *triggerRotate) Run(i *invocation) error {
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		changed, secret, err := of.Rotate(i.ctx, c.Trigger)
		if err != nil {
			return err
		}
		return i.tellSecret(changed, secret, "rotated")
	})
}

type triggerTest struct {
	triggerOf `embed:""`
}

func (c *triggerTest) Run(i *invocation) error {
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		delivery, err := of.Test(i.ctx, c.Trigger)
		if err != nil {
			return err
		}
		return i.show(map[string]any{"delivery_id": delivery}, func(w io.Writer) { say(w, "told as %s", delivery) })
	})
}

type triggerDeliveries struct {
	triggerOf `embed:""`

	Limit int `default:"50" help:"How many at most."`
}

func (c *triggerDeliveries) Run(i *invocation) error {
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		told, err := of.Deliveries(i.ctx, c.Trigger, max(c.Limit, 1))
		if err != nil {
			return err
		}
		return i.show(map[string]any{"deliveries": told}, func(w io.Writer) {
			writeTable(w, []column[app.TriggerDelivery]{
				{"DELIVERY", func(d app.TriggerDelivery) string { return d.ID }},
				{"EVENT", func(d app.TriggerDelivery) string { return d.Event }},
				{"OBJECT", func(d app.TriggerDelivery) string { return oneLine(d.Object) }},
				{"OUTCOME", func(d app.TriggerDelivery) string { return string(d.Outcome) }},
				{"ERROR", func(d app.TriggerDelivery) string { return d.Error }},
				{"ATTEMPTS", func(d app.TriggerDelivery) string { return strconv.Itoa(d.Attempts) }},
				{"LAST", func(d app.TriggerDelivery) string { return moment(d.At) }},
				{"NEXT", func(d app.TriggerDelivery) string { return moment(d.NextAt) }},
			}, told)
		})
	})
}

type triggerReplay struct {
	triggerOf `embed:""`

	Delivery string        `help:"One delivery, by its id: msg_... Defaults to all that was given up." xor:"what"`
	Since    time.Duration `help:"All that were given up or delivered in this time, as 24h." xor:"what"`
}

func (c *triggerReplay) Run(i *invocation) error {
	what := app.TriggerReplay{Delivery: c.Delivery}
	if c.Since > 0 {
		what.Since = time.Now().Add(-c.Since)
	}
	return i.triggers(c.Tenant, func(of *app.TriggerOperator) error {
		replayed, err := of.Replay(i.ctx, c.Trigger, what)
		if err != nil {
			return err
		}
		return i.show(map[string]any{"replayed": replayed}, func(w io.Writer) { say(w, "told again: %d", replayed) })
	})
}

// triggerRow is a trigger as JSON tells it.
type triggerRow struct {
	ID        events.TriggerID `json:"id"`
	Tenant    events.TenantID  `json:"tenant"`
	Name      string           `json:"name"`
	Event     string           `json:"event"`
	Server    string           `json:"server_id,omitempty"`
	URL       string           `json:"webhook_url"`
	Status    trigger.Status   `json:"status"`
	Reason    string           `json:"status_reason,omitempty"`
	Secret    string           `json:"secret,omitempty"`
	CreatedAt time.Time        `json:"created_at"`
	RotatedAt *time.Time       `json:"rotated_at"`
}

func newTriggerRow(of trigger.Trigger) triggerRow {
	return triggerRow{
		ID: of.ID, Tenant: of.Tenant, Name: of.Name, Event: of.Event, Server: of.Server, URL: of.URL, Status: of.Status, Reason: of.Reason,
		CreatedAt: of.CreatedAt, RotatedAt: orNull(of.RotatedAt),
	}
}
