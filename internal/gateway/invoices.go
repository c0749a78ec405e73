package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/paper"
	"github.com/feira-dev/feira/internal/tenant"
)

// ErrNoInvoice occurs when a tenant has no invoice of an id, or an invoice no
// such line.
var ErrNoInvoice = errors.New("no such invoice")

// Bills knows the invoices. Implementations are safe for concurrent use.
type Bills interface {
	// Invoices are a tenant's, in the order of their issue.
	Invoices(ctx context.Context, tenant events.TenantID) ([]invoice.Invoice, error)
	// Invoice is one of them with its bytes as it was issued, or [ErrNoInvoice].
	Invoice(ctx context.Context, tenant events.TenantID, id string) (invoice.Invoice, []byte, error)
	// Trace goes from a line to its usage events, from all where line is 0.
	Trace(ctx context.Context, document invoice.Invoice, line int) ([]TracedLine, error)
}

// TracedLine is a line with the usage events that it is of.
type TracedLine struct {
	Line     int           `json:"line"`
	Name     string        `json:"name"`
	Period   string        `json:"period"`
	Quantity string        `json:"quantity"`
	Amount   string        `json:"amount"`
	Events   []TracedEvent `json:"events"`
}

// TracedEvent is one usage event of a line.
type TracedEvent struct {
	ID       string `json:"id"`
	Session  string `json:"session_id"`
	Request  string `json:"request_id"`
	Server   string `json:"server_id,omitempty"`
	Tool     string `json:"tool_name,omitempty"`
	Model    string `json:"model,omitempty"`
	Outcome  string `json:"outcome"`
	At       string `json:"at" format:"date-time"`
	Quantity string `json:"quantity"`
}

type invoicesIn struct {
	Tenant string `query:"tenant_id" maxLength:"64" doc:"Whose; a tenant's own key needs none."`
	Period string `query:"period" pattern:"^([0-9]{4}-[0-9]{2})?$" doc:"Only those for this month, as 2026-11."`
}

type invoicesOut struct {
	Body struct {
		Invoices []invoice.Invoice `json:"invoices" doc:"In the order of their issue, credit notes among them."`
	}
}

// InvoicePath names an invoice of a tenant.
type InvoicePath struct {
	ID     string `path:"id" maxLength:"128" doc:"The invoice's id."`
	Tenant string `query:"tenant_id" maxLength:"64" doc:"Whose; a tenant's own key needs none."`
}

type invoiceIn struct {
	InvoicePath
	Accept string `header:"Accept" doc:"application/json, text/html or application/pdf."`
}

type invoiceOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

type traceIn struct {
	InvoicePath
	Line int `query:"line" minimum:"0" maximum:"100000" doc:"Only this line; all where left out."`
}

type traceOut struct {
	Body struct {
		Invoice string       `json:"invoice"`
		Lines   []TracedLine `json:"lines"`
	}
}

func (g *Gateway) invoiceRoutes() {
	const group = "billing"
	missing := []int{http.StatusNotFound}
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/invoices", id: "list-invoices", group: group, summary: "List a tenant's invoices and credit notes",
		scope: access.ScopeUsageRead, faults: missing,
	}, g.listInvoices)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/invoices/{id}", id: "get-invoice", group: group, summary: "Show an invoice, as JSON, HTML or PDF",
		scope: access.ScopeUsageRead, faults: missing, media: []string{"text/html", "application/pdf"}, answer: invoice.Invoice{},
	}, g.getInvoice)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/invoices/{id}/trace", id: "trace-invoice", group: group,
		summary: "Go from an invoice's lines to the usage events that they are of", scope: access.ScopeUsageRead, faults: missing,
	}, g.traceInvoice)
}

// billed is the tenant whose books are asked for.
func (g *Gateway) billed(ctx context.Context, caller access.Caller, text string) (tenant.Tenant, error) {
	own := string(caller.Key().Tenant)
	switch {
	case text == "" && own == "":
		return tenant.Tenant{}, problem(http.StatusBadRequest, CodeInvalidRequest, "a platform key needs tenant_id").at("tenant_id")
	case text == "":
		text = own
	}
	return g.reached(ctx, caller, text)
}

func (g *Gateway) listInvoices(ctx context.Context, caller access.Caller, in *invoicesIn) (*invoicesOut, error) {
	customer, err := g.billed(ctx, caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	all, err := g.cfg.Bills.Invoices(ctx, customer.ID)
	if err != nil {
		return nil, worded(err)
	}
	out := &invoicesOut{}
	out.Body.Invoices = []invoice.Invoice{}
	for _, document := range all {
		if document.Environment == caller.Key().Environment && (in.Period == "" || in.Period == document.Period) {
			out.Body.Invoices = append(out.Body.Invoices, document)
		}
	}
	return out, nil
}

// document is an invoice that the caller may see. One that is another's, or of
// another environment, is not there.
func (g *Gateway) document(ctx context.Context, caller access.Caller, of InvoicePath) (invoice.Invoice, []byte, error) {
	missing := problem(http.StatusNotFound, CodeInvoiceNotFound, "there is no such invoice")
	customer, err := g.billed(ctx, caller, of.Tenant)
	if err != nil {
		return invoice.Invoice{}, nil, err
	}
	document, text, err := g.cfg.Bills.Invoice(ctx, customer.ID, of.ID)
	switch {
	case errors.Is(err, ErrNoInvoice):
		return invoice.Invoice{}, nil, missing
	case err != nil:
		return invoice.Invoice{}, nil, worded(err)
	case document.Environment != caller.Key().Environment:
		return invoice.Invoice{}, nil, missing
	}
	return document, text, nil
}

func (g *Gateway) getInvoice(ctx context.Context, caller access.Caller, in *invoiceIn) (*invoiceOut, error) {
	document, text, err := g.document(ctx, caller, in.InvoicePath)
	if err != nil {
		return nil, err
	}
	out := &invoiceOut{ContentType: "application/json", Body: text}
	switch {
	case strings.Contains(in.Accept, "application/pdf"):
		out.ContentType = "application/pdf"
		out.Body, err = paper.PDF(document)
	case strings.Contains(in.Accept, "text/html"):
		out.ContentType = "text/html; charset=utf-8"
		out.Body, err = document.HTML()
	}
	return out, err
}

func (g *Gateway) traceInvoice(ctx context.Context, caller access.Caller, in *traceIn) (*traceOut, error) {
	document, _, err := g.document(ctx, caller, in.InvoicePath)
	if err != nil {
		return nil, err
	}
	if in.Line > len(document.Lines) {
		return nil, problem(http.StatusNotFound, CodeInvoiceNotFound, "the invoice has %d lines", len(document.Lines)).at("line")
	}
	out := &traceOut{}
	out.Body.Invoice = document.ID
	if out.Body.Lines, err = g.cfg.Bills.Trace(ctx, document, in.Line); err != nil {
		return nil, worded(err)
	}
	return out, nil
}
