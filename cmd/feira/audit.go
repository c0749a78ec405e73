package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/app"
)

// auditCommand is "feira audit".
type auditCommand struct {
	Run    auditRun    `cmd:"" default:"withargs" help:"Hold all places against each other; exits 1 on a difference."`
	Verify auditVerify `cmd:"" help:"Check that a signed report is what the holder of a key signed."`
}

type auditRun struct {
	Patience time.Duration `help:"How long what is on its way may take to be booked." default:"10s"`
	Exports  []string      `name:"export" help:"Settings of an export whose other side is asked, too; may be given more than once." type:"path" placeholder:"FILE"`
	Report   string        `help:"Write a signed report to this file." type:"path" placeholder:"FILE"`
	Key      string        `help:"File with the ed25519 key, in PEM, that signs the report." env:"FEIRA_AUDIT_KEY_FILE" type:"path" placeholder:"FILE"`
}

// Errors of the command; what they are about is shown.
var (
	// errAudit occurs when an audit finds a difference.
	errAudit = errors.New("there are differences")
	// errAuditKey occurs when a report is to be signed with nothing.
	errAuditKey = errors.New("a report is signed: give --key, or set FEIRA_AUDIT_KEY_FILE")
)

// Run shows counts and sums of every place, and fails on any difference.
func (c *auditRun) Run(i *invocation) error {
	if c.Report != "" && c.Key == "" {
		return errAuditKey
	}
	o := i.operator()
	defer o.Close()
	audit, err := o.AuditLedger(i.ctx, app.LedgerAuditParams{Patience: c.Patience, Exports: c.Exports})
	if err != nil {
		return err
	}
	err = errors.Join(c.sign(audit), i.show(audit, func(w io.Writer) { writeAudit(w, audit) }))
	if !audit.OK {
		err = errors.Join(err, errAudit)
	}
	return err
}

func (c *auditRun) sign(audit app.LedgerAudit) error {
	if c.Report == "" {
		return nil
	}
	key, err := os.ReadFile(c.Key)
	if err != nil {
		return fmt.Errorf("reading the key: %w", err)
	}
	signed, err := app.SignAudit(audit, key)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Report, signed, 0o600) //nolint:gosec // the operator names the file
}

type auditVerify struct {
	Report string `arg:"" help:"File of the report." type:"path"`
	Key    string `help:"File with the key, private or public, in PEM." env:"FEIRA_AUDIT_KEY_FILE" type:"path" required:"" placeholder:"FILE"`
}

// Run shows what was signed, and fails where it tells of a difference.
func (c *auditVerify) Run(i *invocation) error {
	report, err := os.ReadFile(c.Report)
	if err != nil {
		return fmt.Errorf("reading the report: %w", err)
	}
	key, err := os.ReadFile(c.Key)
	if err != nil {
		return fmt.Errorf("reading the key: %w", err)
	}
	audit, err := app.VerifyAudit(report, key)
	if err != nil {
		return err
	}
	err = i.show(audit, func(w io.Writer) {
		say(w, "signed as of %s", moment(audit.At))
		writeAudit(w, audit)
	})
	if !audit.OK {
		err = errors.Join(err, errAudit)
	}
	return err
}

func writeAudit(w io.Writer, audit app.LedgerAudit) {
	writeTable(w, []column[app.TenantAudit]{
		{"TENANT", func(t app.TenantAudit) string { return string(t.Tenant) }},
		{"LOG", func(t app.TenantAudit) string { return counted(t.Log) }},
		{"USAGE", func(t app.TenantAudit) string { return counted(t.Usage) }},
		{"ROWS", func(t app.TenantAudit) string { return counted(t.Rows) }},
		{"ASIDE", func(t app.TenantAudit) string { return strconv.Itoa(t.Aside) }},
	}, audit.Tenants)
	for _, tenant := range audit.Tenants {
		for _, finding := range tenant.Findings {
			say(w, "%s: %s", tenant.Tenant, finding)
		}
	}
	for _, difference := range audit.Ledger.Differences {
		say(w, "%s", tellDifference(difference))
	}
	for _, finding := range audit.Books.Findings {
		say(w, "%s %s: %s", finding.Check, finding.Tenant, finding.Text)
	}
	for _, export := range audit.Exports {
		for _, finding := range export.Findings {
			say(w, "export %s: %s", export.Export, finding)
		}
		say(w, "export %s: %d items, taken up to number %d of %d", export.Export, export.Items, export.Cursor, export.Last)
	}
	for _, asked := range audit.Asked {
		writeReconciliation(w, asked)
	}
	say(w, "%d rows, %d sums, %d transactions, %d invoices", audit.Ledger.Rows, audit.Ledger.Rollups, audit.Books.Transactions, audit.Books.Invoices)
}

// counted is how many events there are and what they sum to.
func counted(c app.Counted) string {
	sums := make([]string, 0, len(c.Sums))
	for _, unit := range slices.Sorted(maps.Keys(c.Sums)) {
		sums = append(sums, c.Sums[unit].String()+" "+unit)
	}
	return fmt.Sprintf("%d (%s)", c.Events, strings.Join(sums, ", "))
}
