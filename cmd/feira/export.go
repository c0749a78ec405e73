package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/usage"
)

// exportCommand is "feira export".
type exportCommand struct {
	Run    exportRun    `cmd:"" default:"withargs" help:"Tell a system of all usage that it has not been told of."`
	Check  exportCheck  `cmd:"" help:"Ask a system what it has, and name every difference."`
	List   exportList   `cmd:"" help:"Show how far each export has come."`
	Errors exportErrors `cmd:"" help:"Read Stripe's report of errors about meter events that it had accepted."`
}

// exportFlags choose an export.
type exportFlags struct {
	Sink        export.Kind `arg:"" help:"openmeter, stripe, lago, webhook, csv or parquet." enum:"openmeter,stripe,lago,webhook,csv,parquet"`
	Settings    string      `help:"YAML file that says what meters and tenants are called there." type:"path" placeholder:"FILE"`
	Name        string      `help:"Name under which the ledger keeps how far the export has come; the sink's when empty."`
	URL         string      `name:"url" help:"Address of the other side; its own service when empty."`
	Dir         string      `help:"Folder of the files of csv and parquet." type:"path"`
	Environment string      `help:"Environment of the usage: live or test; live when empty."`
}

func (f exportFlags) params() app.ExportParams {
	return app.ExportParams{Kind: f.Sink, File: f.Settings, Name: f.Name, URL: f.URL, Dir: f.Dir, Environment: f.Environment}
}

type exportRun struct {
	exportFlags

	Every time.Duration `help:"Go on until interrupted, and look for new usage this often."`
}

// errUnlisted occurs when usage waits for somebody to name it in the settings.
var errUnlisted = errors.New("the settings do not name everything that was used")

func (c *exportRun) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	var shown, unlisted error
	err := o.Export(i.ctx, c.params(), c.Every, func(report export.Report, err error) {
		if err != nil && c.Every > 0 {
			say(i.err, "%v", err)
		}
		shown = errors.Join(shown, i.show(report, func(w io.Writer) { writeExported(w, report) }))
		unlisted = nil
		if len(report.Unlisted) > 0 {
			unlisted = errUnlisted
		}
	})
	return errors.Join(err, shown, unlisted)
}

func writeExported(w io.Writer, report export.Report) {
	say(w, "%s: %d items in %d batches, taken up to number %d of %d", report.Export, report.Items, report.Batches, report.Cursor, report.Last)
	for _, state := range slices.Sorted(maps.Keys(report.Sends)) {
		say(w, "%d sums %s", report.Sends[state], state)
	}
	if report.Waiting > 0 {
		say(w, "%d sums wait", report.Waiting)
	}
	if len(report.Unlisted) > 0 {
		say(w, "not in the settings: %s", strings.Join(report.Unlisted, ", "))
	}
}

type exportCheck struct{ exportFlags }

// errExport occurs when the two sides of an export differ; each difference is
// shown.
var errExport = errors.New("the other side has something else")

func (c *exportCheck) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	found, err := o.ReconcileExport(i.ctx, c.params())
	if err != nil {
		return err
	}
	err = i.show(found, func(w io.Writer) { writeReconciliation(w, found) })
	if !found.OK() {
		err = errors.Join(err, errExport)
	}
	return err
}

func writeReconciliation(w io.Writer, found export.Reconciliation) {
	for _, finding := range found.Findings {
		say(w, "%s: %s", found.Export, finding)
	}
	for _, difference := range found.Differences {
		of := difference.Ours
		if of == (export.Sum{}) {
			of = difference.Theirs
		}
		say(w, "%s: %s %s of %s: %s: ours %s, theirs %s", found.Export, of.Meter, of.Unit, of.Tenant, difference.Why, toldSum(difference.Ours), toldSum(difference.Theirs))
	}
	asked := "was asked"
	if !found.Asked {
		asked = "cannot be asked"
	}
	say(w, "%s %s: %d sums of %d items, %d differences, %d findings, %d not told yet",
		found.Export, asked, found.Sums, found.Items, len(found.Differences), len(found.Findings), found.Waiting)
}

func toldSum(sum export.Sum) string {
	if sum.Count < 0 {
		return sum.Total.String()
	}
	return fmt.Sprintf("%s in %d", sum.Total, sum.Count)
}

type exportList struct{}

func (exportList) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	states, err := o.Exports(i.ctx)
	if err != nil {
		return err
	}
	return i.show(states, func(w io.Writer) {
		writeTable(w, []column[app.ExportState]{
			{"EXPORT", func(s app.ExportState) string { return s.Name }},
			{"TAKEN", func(s app.ExportState) string { return strconv.FormatInt(s.Cursor, 10) }},
			{"OF", func(s app.ExportState) string { return strconv.FormatInt(s.Last, 10) }},
			{"ITEMS", func(s app.ExportState) string { return strconv.FormatInt(s.Items, 10) }},
			{"SUMS", func(s app.ExportState) string { return countedSends(s.Sends) }},
			{"MOVED", func(s app.ExportState) string { return moment(s.UpdatedAt) }},
		}, states)
	})
}

func countedSends(sends map[usage.SendState]int) string {
	var counts []string
	for _, state := range slices.Sorted(maps.Keys(sends)) {
		counts = append(counts, fmt.Sprintf("%d %s", sends[state], state))
	}
	return strings.Join(counts, ", ")
}

type exportErrors struct {
	exportFlags

	Report string `arg:"" help:"JSON file of the event v1.billing.meter.error_report_triggered." type:"path"`
}

func (c *exportErrors) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	marked, err := o.RecordExportErrors(i.ctx, c.params(), c.Report)
	if err != nil {
		return err
	}
	return i.show(map[string]any{"recorded": marked}, func(w io.Writer) {
		say(w, "%d sums are recorded as not taken", len(marked))
		for _, identifier := range marked {
			say(w, "%s", identifier)
		}
	})
}
