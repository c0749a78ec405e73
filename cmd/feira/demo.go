package main

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

// demoCommand is "feira demo".
type demoCommand struct {
	Keep string `help:"Keep what the demo wrote in this folder, which is new, to look at its books later: feira --data-dir DIR invoice show TENANT ID --trace." type:"path" placeholder:"DIR"`
}

// Run prints the timeline on standard output, or, with --json, on standard
// error, where it does not mix with the data.
func (c *demoCommand) Run(i *invocation) error {
	timeline := i.out
	if i.json {
		timeline = i.err
	}
	quiet := i.cfg
	quiet.Telemetry.LogLevel = max(quiet.Telemetry.LogLevel, slog.LevelError)
	tel, err := openTelemetry(i.ctx, quiet, i.err)
	if err != nil {
		return err
	}
	report, err := app.RunDemo(i.ctx, quiet, tel, app.DemoParams{
		Note:  func(text string) { say(timeline, "\n%s", text) },
		Event: func(record events.Record) { describe(timeline, record) },
		Keep:  c.Keep,
	})
	if err != nil {
		return err
	}
	if err := i.show(report, func(w io.Writer) { writeReport(w, report) }); err != nil {
		return err
	}
	return judge(report)
}

// judge turns a demo that showed a fault into a failure of the command.
func judge(report app.DemoReport) error {
	requests, isolation := report.Requests, report.Isolation
	switch {
	case requests.Lost > 0 || requests.Duplicated > 0:
		return fmt.Errorf("%d requests were lost and %d were served twice", requests.Lost, requests.Duplicated)
	case isolation.Refused != isolation.Attempts:
		return fmt.Errorf("%d of %d tries got through a wall", isolation.Attempts-isolation.Refused, isolation.Attempts)
	case !report.Audit.OK:
		return fmt.Errorf("the audit found %d differences", report.Audit.Differences)
	}
	if err := judgePayment(report); err != nil {
		return err
	}
	for _, served := range report.Tenants {
		for _, line := range served.Invoice.Lines {
			if line.Traced != line.Quantity {
				return fmt.Errorf("line %d of %s is of %s, its events count %s", line.Line, served.Invoice.ID, line.Quantity, line.Traced)
			}
		}
	}
	return nil
}

// judgePayment holds the act of the payment to its word. Whether anything was
// sold in it is only the offline model's to promise.
func judgePayment(report app.DemoReport) error {
	paid := report.Payment
	switch {
	case paid.Unverified > 0 || len(paid.Missing) > 0:
		return fmt.Errorf("%d events came unverified to the endpoint of %s, and %d did not come", paid.Unverified, paid.Tenant, len(paid.Missing))
	case paid.Recorded > 1 || paid.Turns > 1:
		return fmt.Errorf("one payment was recorded %d times and started %d turns", paid.Recorded, paid.Turns)
	case report.Model != app.OfflineModel:
		return nil
	case paid.Sent < 2 || paid.Recorded != 1 || paid.Turns != 1:
		return fmt.Errorf("a payment that was told %d times was recorded %d times and started %d turns, want one", paid.Sent, paid.Recorded, paid.Turns)
	case paid.Shipments != 1 || paid.Messages != 2:
		return fmt.Errorf("a payment led to %d shipments and %d messages to the customer, want 1 and 2", paid.Shipments, paid.Messages)
	}
	for _, event := range []string{"payment.confirmed", "shipment.posted", "message.delivered", "turn.completed"} {
		if !paid.Heard(event) {
			return fmt.Errorf("the endpoint of %s was not told of %s", paid.Tenant, event)
		}
	}
	return nil
}

func writeReport(w io.Writer, report app.DemoReport) {
	for _, served := range report.Tenants {
		say(w, "")
		say(w, "%s\t%d turns, %d tool calls at %s", served.ID, served.Turns, len(served.ToolCalls), strings.Join(serversUsed(served), ", "))
		say(w, "METER\tQUANTITY\tUNIT PRICE\tAMOUNT")
		for _, line := range served.Bill.Lines {
			say(w, "%s\t%s\t%s\t%s", line.Meter, line.Quantity, line.UnitPrice, line.Amount.Text())
		}
		say(w, "total\t\t\t%s", served.Bill.Total)
		say(w, "invoice %s\t%s %s", served.Invoice.ID, served.Invoice.Currency, served.Invoice.Total)
		for _, line := range served.Invoice.Lines {
			say(w, "  line %d %s\t%s\tis of %d usage events\t%s", line.Line, line.Name, line.Quantity, line.Events, line.Amount)
		}
	}
	say(w, "")
	say(w, "requests: %d accepted, %d completed, %d lost, %d served twice", report.Requests.Accepted, report.Requests.Completed, report.Requests.Lost, report.Requests.Duplicated)
	paid := report.Payment
	say(w, "payment: told %d times, recorded %d time, %d turn; %d parcel shipped, %d messages to the customer", paid.Sent, paid.Recorded, paid.Turns, paid.Shipments, paid.Messages)
	say(w, "webhooks: %d came in, %d signed events went out, %d unverified, %d missing", paid.Webhooks, len(paid.Deliveries), paid.Unverified, len(paid.Missing))
	say(w, "walls: %d tried, %d refused", report.Isolation.Attempts, report.Isolation.Refused)
	say(w, "audit: %d facts of the logs, %d rows, %d invoices, %d differences", report.Audit.Events, report.Audit.Rows, report.Audit.Invoices, report.Audit.Differences)
	say(w, "model: %s", report.Model)
}

func serversUsed(served app.DemoTenant) []string {
	var used []string
	for _, call := range served.ToolCalls {
		if !slices.Contains(used, call.Server) {
			used = append(used, call.Server)
		}
	}
	return used
}
