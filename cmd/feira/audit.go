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
)

// auditCommand is "feira audit".
type auditCommand struct {
	Patience time.Duration `help:"How long what is on its way may take to be booked." default:"10s"`
}

// errAudit occurs when an audit finds a difference; each of them is shown.
var errAudit = errors.New("there are differences")

// Run shows counts and sums of every place, and fails on any difference.
func (c *auditCommand) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	audit, err := o.AuditLedger(i.ctx, c.Patience)
	if err != nil {
		return err
	}
	err = i.show(audit, func(w io.Writer) { writeAudit(w, audit) })
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
