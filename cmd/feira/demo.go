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
type demoCommand struct{}

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
	}
	say(w, "")
	say(w, "requests: %d accepted, %d completed, %d lost, %d served twice", report.Requests.Accepted, report.Requests.Completed, report.Requests.Lost, report.Requests.Duplicated)
	say(w, "walls: %d tried, %d refused", report.Isolation.Attempts, report.Isolation.Refused)
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
