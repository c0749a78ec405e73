package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

// sendCommand is "feira send".
type sendCommand struct {
	Tenant   events.TenantID  `arg:"" help:"Tenant whose agent is asked."`
	Text     string           `arg:"" optional:"" help:"What to say; with --tool, its arguments as a JSON object."`
	Session  events.SessionID `help:"Session to go on with; a new one when empty."`
	ID       events.RequestID `help:"Request id; the same one again is not served twice."`
	Tool     string           `help:"Call this tool, server__tool, instead of asking the agent."`
	Mocks    string           `help:"File of answers that the session's tools are to give, as JSON; for a session that this request opens, in test mode." placeholder:"FILE" type:"path"`
	Priority string           `help:"Among the tenant's own: interactive, normal or bulk." enum:"interactive,normal,bulk" default:"interactive"`
	Expires  time.Duration    `help:"Do not start the request later than so long from now; never expires when 0."`
	Detach   bool             `help:"Do not wait for the answer."`
	Timeout  time.Duration    `help:"How long to wait for the answer." default:"5m"`
}

var errNotServed = errors.New("the request did not complete")

func (c *sendCommand) Run(i *invocation) error {
	params, request, err := c.request()
	if err != nil {
		return err
	}
	o := i.operator()
	defer o.Close()
	ctx, cancel := context.WithTimeoutCause(i.ctx, c.Timeout, fmt.Errorf("no answer within %s; the request stays accepted", c.Timeout))
	defer cancel()
	var hear func(events.Record)
	if !i.json {
		hear = func(record events.Record) { describe(i.err, record) }
	}
	sent, err := o.Send(ctx, params, request, c.Detach, hear)
	if err != nil {
		return err
	}
	if err := i.show(sent, func(w io.Writer) {
		switch end := sent.Ending; {
		case end == nil:
			say(w, "accepted: request %s of session %s", sent.Request, sent.Session)
		case end.Status == events.TurnCompletedOK:
			say(w, "%s", end.Message)
		}
	}); err != nil {
		return err
	}
	if end := sent.Ending; end != nil && end.Status != events.TurnCompletedOK {
		return fmt.Errorf("%w: %s, %s: %s", errNotServed, end.Status, end.Reason, end.Detail)
	}
	return nil
}

func (c *sendCommand) request() (events.RequestParams, events.Request, error) {
	priority, err := events.ParsePriority(c.Priority)
	if err != nil {
		return events.RequestParams{}, events.Request{}, err
	}
	params := events.RequestParams{Tenant: c.Tenant, Session: c.Session, ID: c.ID, Kind: events.KindTurn, Priority: priority}
	if c.Expires > 0 {
		params.Expires = time.Now().Add(c.Expires)
	}
	mocks, err := c.mocks()
	if err != nil {
		return params, events.Request{}, err
	}
	if c.Tool == "" {
		return params, events.Request{Message: c.Text, Mocks: mocks}, nil
	}
	params.Kind = events.KindCall
	if c.Text != "" && !json.Valid([]byte(c.Text)) {
		return params, events.Request{}, errors.New("the tool's arguments are not JSON")
	}
	return params, events.Request{Tool: c.Tool, Arguments: json.RawMessage(c.Text), Mocks: mocks}, nil
}

// mocks reads the file; whether what it says is fit is the worker's to judge,
// as for any producer.
func (c *sendCommand) mocks() (json.RawMessage, error) {
	if c.Mocks == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Mocks)
	if err != nil {
		return nil, fmt.Errorf("reading the mocks: %w", err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("the mocks in %s are not JSON", c.Mocks)
	}
	return text, nil
}

// tailCommand is "feira tail".
type tailCommand struct {
	Tenant  events.TenantID  `arg:"" help:"Tenant whose events are printed."`
	Session events.SessionID `arg:"" optional:"" help:"Only this session."`
	Follow  bool             `short:"f" help:"Go on with what comes, until interrupted."`
}

func (c *tailCommand) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	var broken error
	ctx, cancel := context.WithCancel(i.ctx)
	defer cancel()
	err := o.Follow(ctx, bus.FollowParams{Tenant: c.Tenant, Session: c.Session, Stored: !c.Follow}, func(record events.Record) {
		if !i.json {
			describe(i.out, record)
			return
		}
		if broken = writeJSON(i.out, newLine(record)); broken != nil {
			cancel() // nobody reads any more
		}
	})
	return errors.Join(err, broken)
}

// line is one event as tail prints it.
type line struct {
	Sequence uint64           `json:"sequence"`
	Time     time.Time        `json:"time"`
	Type     events.Type      `json:"type"`
	Tenant   events.TenantID  `json:"tenant"`
	Session  events.SessionID `json:"session"`
	Request  events.RequestID `json:"request,omitempty"`
	ID       string           `json:"id"`
	Data     events.Event     `json:"data"`
}

func newLine(record events.Record) line {
	return line{
		Sequence: record.Sequence, Time: record.Time, Type: record.Type, Tenant: record.Tenant,
		Session: record.Session, Request: record.Request, ID: record.ID, Data: record.Event,
	}
}
