package main

import (
	"errors"
	"io"
	"strconv"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/paper"
)

// invoiceCommand is "feira invoice".
type invoiceCommand struct {
	Preview invoicePreview `cmd:"" help:"Print a month's invoice as it would be now, and keep nothing."`
	Issue   invoiceIssue   `cmd:"" help:"Issue a month's invoice of a tenant, or of all."`
	Show    invoiceShow    `cmd:"" help:"Print an invoice, as HTML, PDF or with the usage events of its lines, if asked."`
	Margin  invoiceMargin  `cmd:"" help:"Hold what a month's usage is billed against what it cost us."`
	List    invoiceList    `cmd:"" help:"List a tenant's invoices and credit notes."`
	Credit  invoiceCredit  `cmd:"" help:"Forgive a part of an invoice by a credit note."`
}

// monthFlags choose a month and an environment.
type monthFlags struct {
	Month       string             `help:"Month, as 2026-11; the current one when empty."`
	Environment events.Environment `help:"Environment of the usage: live or test." enum:"live,test" default:"live"`
}

func (f monthFlags) params(tenant events.TenantID) app.InvoiceParams {
	return app.InvoiceParams{Tenant: tenant, Month: f.Month, Environment: f.Environment}
}

type invoicePreview struct {
	monthFlags

	Tenant events.TenantID `arg:"" help:"Tenant to invoice."`
	HTML   bool            `name:"html" help:"Print HTML."`
}

func (c *invoicePreview) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	preview, err := o.PreviewInvoice(i.ctx, c.params(c.Tenant))
	if err != nil {
		return err
	}
	if c.HTML {
		return writeHTML(i.out, preview.Invoice)
	}
	return i.show(preview, func(w io.Writer) {
		say(w, "the period is %s", preview.State)
		writeInvoice(w, preview.Invoice)
	})
}

type invoiceIssue struct {
	monthFlags

	Tenant events.TenantID `arg:"" optional:"" help:"Tenant to invoice; every one with usage in the month when it is left out."`
}

// Run tells what was issued, also when one of many could not be.
func (c *invoiceIssue) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	issued, err := o.IssueInvoices(i.ctx, c.params(c.Tenant))
	shown := i.show(map[string]any{"invoices": issued}, func(w io.Writer) {
		for _, one := range issued {
			state := "issued"
			if !one.First {
				state = "issued before"
			}
			say(w, "%s\t%s %s\t%s", one.Invoice.ID, one.Invoice.Currency, one.Invoice.Total, state)
		}
	})
	return errors.Join(err, shown)
}

type invoiceShow struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose invoice it is."`
	ID     string          `arg:"" help:"Id of the invoice or credit note."`
	HTML   bool            `name:"html" help:"Print HTML." xor:"form"`
	PDF    bool            `name:"pdf" help:"Print a PDF." xor:"form"`
	Trace  bool            `help:"Go from each line to its usage events." xor:"form"`
	Line   int             `help:"With --trace: only this line."`
}

func (c *invoiceShow) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	document, text, err := o.Invoice(i.ctx, c.Tenant, c.ID)
	if err != nil {
		return err
	}
	switch {
	case c.HTML:
		return writeHTML(i.out, document)
	case c.PDF:
		return writePDF(i.out, document)
	case c.Trace:
		lines, err := o.TraceInvoice(i.ctx, document, c.Line)
		if err != nil {
			return err
		}
		return i.show(map[string]any{"invoice": document.ID, "lines": lines}, func(w io.Writer) { writeTrace(w, lines) })
	case i.json:
		_, err := i.out.Write(text) // byte for byte as it was issued
		return err
	default:
		return i.show(nil, func(w io.Writer) { writeInvoice(w, document) })
	}
}

type invoiceList struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose invoices are listed."`
}

func (c *invoiceList) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	documents, err := o.Invoices(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	if documents == nil {
		documents = []invoice.Invoice{}
	}
	return i.show(documents, func(w io.Writer) {
		writeTable(w, []column[invoice.Invoice]{
			{"ID", func(d invoice.Invoice) string { return d.ID }},
			{"PERIOD", func(d invoice.Invoice) string { return d.Period }},
			{"ISSUED", func(d invoice.Invoice) string { return moment(d.IssuedAt) }},
			{"LINES", func(d invoice.Invoice) string { return strconv.Itoa(len(d.Lines)) }},
			{"TOTAL", func(d invoice.Invoice) string { return string(d.Currency) + " " + d.Total }},
		}, documents)
	})
}

type invoiceCredit struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose invoice it is."`
	ID     string          `arg:"" help:"Id of the invoice."`
	Amount string          `arg:"" help:"What is forgiven, in major units, as 12.30."`
	Reason string          `help:"What it is for; stands on the note." required:""`
}

func (c *invoiceCredit) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	note, err := o.CreditNote(i.ctx, app.CreditNoteParams{Tenant: c.Tenant, Invoice: c.ID, Amount: c.Amount, Reason: c.Reason})
	if err != nil {
		return err
	}
	return i.show(note, func(w io.Writer) { writeInvoice(w, note) })
}

func writeHTML(w io.Writer, document invoice.Invoice) error {
	page, err := document.HTML()
	if err != nil {
		return err
	}
	_, err = w.Write(page)
	return err
}

func writePDF(w io.Writer, document invoice.Invoice) error {
	printed, err := paper.PDF(document)
	if err != nil {
		return err
	}
	_, err = w.Write(printed)
	return err
}

func writeInvoice(w io.Writer, document invoice.Invoice) {
	say(w, "%s\t%s\t%s", document.ID, document.Tenant, document.Period)
	say(w, "LINE\tPERIOD\tWHAT\tQUANTITY\tAMOUNT")
	for _, line := range document.Lines {
		what := line.Name
		if line.Kind != invoice.LineUsage {
			what += " (" + string(line.Kind) + ")"
		}
		say(w, "%d\t%s\t%s\t%s\t%s", line.Number, line.Period, what, line.Quantity, line.Amount)
	}
	for _, credit := range document.Credits {
		say(w, "\t\tprepaid credit %s\t\t-%s", credit.Grant, credit.Amount)
	}
	for _, unpriced := range document.Unpriced {
		say(w, "\t\t%s %s, no price\t%s\t", unpriced.Meter, unpriced.Unit, unpriced.Quantity)
	}
	say(w, "total\t\t\t\t%s %s", document.Currency, document.Total)
}

func writeTrace(w io.Writer, lines []app.TracedLine) {
	for _, line := range lines {
		say(w, "line %d\t%s\t%s\t%s", line.Number, line.Name, line.Quantity, line.Amount)
		for _, event := range line.Events {
			what := event.Model
			if event.Tool != "" {
				what = event.Server + "/" + event.Tool
			}
			say(w, "\t%s\t%s\t%s\t%s\t%s", moment(event.At), event.Session, event.Event, what, event.Quantity)
		}
	}
}
