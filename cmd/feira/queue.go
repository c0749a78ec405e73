package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/bus"
)

// queueCommand is "feira queue".
type queueCommand struct {
	Tenant events.TenantID `arg:"" optional:"" help:"Only this tenant, with what it has waiting."`
	Watch  bool            `short:"w" help:"Show it again every second, until interrupted."`
	Limit  int             `help:"How many tenants to list, or waiting requests of the one; up to 500." default:"50"`
}

// watchPace is how often the queue is shown again.
const watchPace = time.Second

// wipe clears a terminal and goes to its top.
const wipe = "\x1b[H\x1b[2J"

func (c *queueCommand) Run(i *invocation) error {
	asked := events.QueueAsked{Tenant: c.Tenant, Limit: c.Limit}
	if err := asked.Validate(); err != nil {
		return err
	}
	o := i.operator()
	defer o.Close()
	if !c.Watch {
		return c.show(i, o, asked)
	}
	tick := time.NewTicker(watchPace)
	defer tick.Stop()
	for {
		switch err := c.show(i, o, asked); {
		case i.ctx.Err() != nil:
			return nil // interrupted, as it is meant to be
		case errors.Is(err, bus.ErrNoLeader):
			say(i.err, "feira: %s", err) // one may come
		case err != nil:
			return err
		}
		select {
		case <-tick.C:
		case <-i.ctx.Done():
			return nil
		}
	}
}

// show asks once and prints the answer.
func (c *queueCommand) show(i *invocation, o *app.Operator, asked events.QueueAsked) error {
	told, err := o.Queue(i.ctx, asked)
	if err != nil {
		return err
	}
	if c.Watch && !i.json && isTerminal(i.out) {
		if _, err := io.WriteString(i.out, wipe); err != nil {
			return err
		}
	}
	return i.show(told, func(w io.Writer) { writeQueue(w, told, asked.Tenant != "") })
}

// isTerminal reports whether somebody may be looking.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// queueColumns are what is said of a tenant, a line for each.
func queueColumns() []column[events.QueueTenant] {
	return []column[events.QueueTenant]{
		{"TENANT", func(t events.QueueTenant) string { return string(t.Tenant) }},
		{"QUEUED", queued},
		{"RUNNING/CAP", func(t events.QueueTenant) string { return fmt.Sprintf("%d/%d", t.Running, t.Limits.Concurrency) }},
		{"OLDEST", oldest},
		{"SHARE", func(t events.QueueTenant) string { return fmt.Sprintf("%.1f%%", 100*t.Share) }},
		{"WEIGHT", func(t events.QueueTenant) string { return strconv.Itoa(t.Limits.Weight) }},
		{"RATE", rate},
		{"SLOT TIME", func(t events.QueueTenant) string { return age(t.SlotSeconds) }},
		{"STATE", state},
	}
}

// lineColumns are what is said of a waiting request.
func lineColumns() []column[events.QueuedRequest] {
	return []column[events.QueuedRequest]{
		{"PLACE", func(r events.QueuedRequest) string { return strconv.Itoa(r.Place) }},
		{"SEQUENCE", func(r events.QueuedRequest) string { return strconv.FormatUint(r.Sequence, 10) }},
		{"SESSION", func(r events.QueuedRequest) string { return string(r.Session) }},
		{"KIND", func(r events.QueuedRequest) string { return string(r.Kind) }},
		{"PRIORITY", func(r events.QueuedRequest) string { return r.Priority }},
		{"WAITED", func(r events.QueuedRequest) string { return age(r.Waited) }},
		{"REASON", reason},
	}
}

func writeQueue(w io.Writer, told events.QueueTold, one bool) {
	say(w, "%d queued, %d running; slots %d, workers %d (desired %d); busy tenants %d; oldest wait %s; leader %s",
		told.Queued, told.Running, told.Slots, told.Workers, told.DesiredWorkers, told.Busy, age(told.OldestWait), told.Leader)
	if told.Rebuilding {
		say(w, "The leader is new and still reads what is queued: the figures are growing.")
	}
	writeTable(w, queueColumns(), told.Tenants)
	if !one {
		if more := told.Busy - len(told.Tenants); more > 0 {
			say(w, "%d more", more)
		}
		return
	}
	for _, t := range told.Tenants {
		say(w, "")
		if t.Partial {
			say(w, "More are queued than one question looks at: places are among the oldest.")
		}
		writeTable(w, lineColumns(), t.Requests)
		if more := t.Queued - len(t.Requests); more > 0 {
			say(w, "%d more", more)
		}
	}
}

func queued(t events.QueueTenant) string {
	if t.Limits.Backlog == 0 {
		return strconv.Itoa(t.Queued)
	}
	return fmt.Sprintf("%d/%d", t.Queued, t.Limits.Backlog)
}

func oldest(t events.QueueTenant) string {
	if t.Queued == 0 {
		return "-"
	}
	return age(t.OldestWait)
}

func rate(t events.QueueTenant) string {
	limits := t.Limits
	if limits.Rate == 0 {
		return "-"
	}
	period := fmt.Sprintf("%gs", limits.RatePeriod)
	if name, ok := map[float64]string{1: "s", 60: "min", 3600: "h"}[limits.RatePeriod]; ok {
		period = name
	}
	return fmt.Sprintf("%d/%s burst %d", limits.Rate, period, limits.Burst)
}

// state is in a word what the tenant does or waits for.
func state(t events.QueueTenant) string {
	switch {
	case t.Limits.Paused:
		return "paused"
	case t.Waits != "":
		return t.Waits
	case t.Running > 0:
		return "running"
	default:
		return "idle"
	}
}

func reason(r events.QueuedRequest) string {
	if r.NotBefore.IsZero() {
		return r.Reason
	}
	return r.Reason + " " + r.NotBefore.Format(time.RFC3339)
}

// age is a time as people read it: to three digits or so.
func age(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
