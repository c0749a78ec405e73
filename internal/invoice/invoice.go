package invoice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
)

// Kind is what a document is.
type Kind string

// Kinds of documents.
const (
	KindInvoice    Kind = "invoice"
	KindCreditNote Kind = "credit_note"
)

// Invoice is a document as it is issued; a credit note has the same form, with
// negative amounts. Its JSON is the contract: decimals are strings, and the
// same invoice is the same bytes.
type Invoice struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Corrects is the invoice of a credit note, Reason what it is for.
	Corrects    string             `json:"corrects,omitempty"`
	Reason      string             `json:"reason,omitempty"`
	Tenant      events.TenantID    `json:"tenant"`
	Environment events.Environment `json:"environment"`
	Period      string             `json:"period"`
	From        time.Time          `json:"from"`
	To          time.Time          `json:"to"`
	IssuedAt    time.Time          `json:"issued_at"`
	Currency    money.Currency     `json:"currency"`
	Lines       []Line             `json:"lines"`
	// Subtotal is the sum of the lines, Credits what prepaid credit pays of it,
	// Total what is left to pay. A negative total is owed to the tenant.
	Subtotal string   `json:"subtotal"`
	Credits  []Credit `json:"credits"`
	Total    string   `json:"total"`
	// Unpriced is usage of the period that no price takes.
	Unpriced []rating.Unpriced `json:"unpriced,omitempty"`
	// Included is the set of usage events that the period's own lines are of.
	Included Included `json:"included"`
}

// Included is a set of usage events: how many, and a digest that no other set
// has.
type Included struct {
	Events int    `json:"events"`
	Digest string `json:"digest"`
}

// LineKind says why a line is there.
type LineKind string

// Kinds of lines.
const (
	LineUsage      LineKind = "usage"
	LineAdjustment LineKind = "adjustment"
	LineCredit     LineKind = "credit"
)

// Line is one line, of its own period: an adjustment names an earlier one.
type Line struct {
	Number int      `json:"line"`
	Kind   LineKind `json:"kind"`
	Period string   `json:"period"`
	// Name is the line's on the rate card, as tool_calls.
	Name   string `json:"name"`
	Server string `json:"server,omitempty"`
	Tool   string `json:"tool,omitempty"`
	Model  string `json:"model,omitempty"`
	// Meter and Unit are those of the usage events.
	Meter events.Meter `json:"meter,omitempty"`
	Unit  string       `json:"unit,omitempty"`
	// Quantity is signed: an adjustment may take away.
	Quantity   string             `json:"quantity"`
	Included   string             `json:"included,omitempty"`
	UnitPrice  rating.Price       `json:"unit_price,omitempty"`
	Tiers      []rating.Tier      `json:"tiers,omitempty"`
	Percentage *rating.Percentage `json:"percentage,omitempty"`
	// RateCard is the version that priced the line.
	RateCard string `json:"ratecard,omitempty"`
	// Exact is the product; Amount is what the line comes to, rounded once.
	Exact  string `json:"exact"`
	Amount string `json:"amount"`
}

// Of reports whether usage that is priced on a line of a card is on this one.
func (l Line) Of(rated rating.Line) bool {
	other := Line{
		Name: rated.Meter, Meter: rated.Source.Meter, Unit: rated.Source.Unit, Server: rated.Server, Tool: rated.Tool, Model: rated.Model,
	}
	return l.key() == other.key()
}

// Credit is what one grant of prepaid credit paid.
type Credit struct {
	Grant  string `json:"grant"`
	Amount string `json:"amount"`
}

// Check holds the document's sums against its lines.
func (i Invoice) Check() error {
	subtotal, err := money.New(0, i.Currency)
	if err != nil {
		return fmt.Errorf("checking %s: %w", i.ID, err)
	}
	for _, line := range i.Lines {
		amount, err := money.Parse(line.Amount, i.Currency)
		if err == nil {
			subtotal, err = subtotal.Add(amount)
		}
		if err != nil {
			return fmt.Errorf("checking %s: line %d: %w", i.ID, line.Number, err)
		}
	}
	total := subtotal
	for _, credit := range i.Credits {
		paid, err := money.Parse(credit.Amount, i.Currency)
		if err == nil {
			total, err = total.Add(paid.Negate())
		}
		if err != nil {
			return fmt.Errorf("checking %s: credit %s: %w", i.ID, credit.Grant, err)
		}
	}
	if subtotal.Text() != i.Subtotal || total.Text() != i.Total {
		return fmt.Errorf("%w: %s says %s and %s, its lines %s and %s", ErrSum, i.ID, i.Subtotal, i.Total, subtotal.Text(), total.Text())
	}
	return nil
}

// JSON is the document.
func (i Invoice) JSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(i); err != nil {
		return nil, fmt.Errorf("writing invoice %s: %w", i.ID, err)
	}
	return out.Bytes(), nil
}

// Parse reads what [Invoice.JSON] wrote.
func Parse(document []byte) (Invoice, error) {
	var read Invoice
	if err := json.Unmarshal(document, &read); err != nil {
		return Invoice{}, fmt.Errorf("reading an invoice: %w", err)
	}
	return read, nil
}

// name is the id of a tenant's invoice for a period. It follows from these
// alone, so that an invoice cannot be issued twice under two names.
func name(tenant events.TenantID, environment events.Environment, period string) string {
	id := "INV-" + string(tenant) + "-" + period
	if environment != events.EnvironmentLive {
		id += "-" + string(environment)
	}
	return id
}
