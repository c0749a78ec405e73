package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

// cancelCommand is "feira cancel".
type cancelCommand struct {
	Tenant  events.TenantID  `arg:"" help:"Tenant whose requests are cancelled."`
	Session events.SessionID `help:"Those of this session."`
	Request events.RequestID `help:"The one of this id."`
	All     bool             `help:"All of the tenant, which is to be said."`
	Reason  string           `help:"Why, for the ending."`
	Timeout time.Duration    `help:"How long to wait for the workers of what runs." default:"30s"`
}

func (c *cancelCommand) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	ctx, cancel := context.WithTimeoutCause(i.ctx, c.Timeout, fmt.Errorf("waited for %s", c.Timeout))
	defer cancel()
	cancelled, err := o.Cancel(ctx, app.CancelParams{
		Tenant: c.Tenant, Session: c.Session, Request: c.Request, All: c.All, Reason: c.Reason,
	})
	if err != nil && cancelled == nil {
		return err
	}
	shown := i.show(map[string]any{"requests": orNone(cancelled)}, func(w io.Writer) {
		if len(cancelled) == 0 {
			say(w, "nothing waits or runs")
			return
		}
		say(w, "SESSION\tREQUEST\tENDED")
		for _, one := range cancelled {
			say(w, "%s\t%s\t%s", one.Session, one.Request, endedAs(one))
		}
	})
	return errors.Join(err, shown)
}

func endedAs(one app.Cancelled) string {
	switch {
	case one.Error != "":
		return "not"
	case one.Status == "":
		return "gone"
	default:
		return string(one.Status)
	}
}
