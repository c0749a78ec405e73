package usage

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
)

// Change is an exact quantity with a sign: what a correction took away is
// negative.
type Change struct {
	Amount   Amount
	Negative bool
}

// ChangeOf leads from one amount to another.
func ChangeOf(from, to Amount) (Change, error) {
	if more, err := to.Subtract(from); err == nil {
		return Change{Amount: more}, nil
	}
	less, err := from.Subtract(to)
	return Change{Amount: less, Negative: true}, err
}

// ParseChange reads what [Change.String] wrote.
func ParseChange(text string) (Change, error) {
	var change Change
	digits, negative := strings.CutPrefix(text, "-")
	if err := change.Amount.UnmarshalText([]byte(digits)); err != nil {
		return Change{}, err
	}
	change.Negative = negative && !change.Amount.IsZero()
	return change, nil
}

// Add is the exact sum, or [ErrOverflow].
func (c Change) Add(other Change) (Change, error) {
	if c.Negative == other.Negative {
		sum, err := c.Amount.Add(other.Amount)
		return Change{Amount: sum, Negative: c.Negative}, err
	}
	if c.Negative {
		return ChangeOf(c.Amount, other.Amount)
	}
	return ChangeOf(other.Amount, c.Amount)
}

// IsZero reports whether nothing changes.
func (c Change) IsZero() bool { return c.Amount.IsZero() }

// String implements fmt.Stringer with the shortest exact decimal.
func (c Change) String() string {
	if c.Negative && !c.Amount.IsZero() {
		return "-" + c.Amount.String()
	}
	return c.Amount.String()
}

// MarshalText implements encoding.TextMarshaler.
func (c Change) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Change) UnmarshalText(text []byte) (err error) {
	*c, err = ParseChange(string(text))
	return err
}

// Decimal is the change for arithmetic and for comparing with what others say.
func (c Change) Decimal() *apd.Decimal {
	value := c.Amount.Decimal()
	value.Negative = c.Negative && !c.Amount.IsZero()
	return value
}

// Item is one unit of one usage event as other systems are told of it: what a
// row counts, or what a correction changed of that. The sum of all items of a
// row is what the row counts after its corrections, so whoever adds items up
// needs to know nothing of corrections.
type Item struct {
	// Number is the ledger's, of the row or of the correction. The items of one
	// number are told together.
	Number int64
	// Row is what was used, as it was recorded. Its OccurredAt decides the period,
	// also of a correction.
	Row    Row
	Unit   string
	Change Change
	// Correction is the id of the correction that made the item; zero for what
	// the row itself counts.
	Correction ID
}

// Cause is the event that made the item.
func (i Item) Cause() ID {
	if i.Correction != (ID{}) {
		return i.Correction
	}
	return i.Row.ID
}

// maxKey bounds what other systems take as an identifier.
const maxKey = 200

// Key names the item among all items of all tenants, the same at every export.
// It begins with the tenant, because other systems keep one set of names for all
// of them.
func (i Item) Key() string {
	cause := i.Cause()
	source := sha256.Sum256([]byte(cause.Source))
	key := strings.Join([]string{string(cause.Tenant), hex.EncodeToString(source[:8]), cause.Event, i.Unit}, ":")
	if len(key) <= maxKey {
		return key
	}
	whole := sha256.Sum256([]byte(key))
	return string(cause.Tenant) + ":sha256:" + hex.EncodeToString(whole[:])
}

// ItemFilter chooses items by their number.
type ItemFilter struct {
	// After is excluded, Through is included.
	After, Through int64
	// Environment leaves the usage of one; empty means both.
	Environment events.Environment
	// Billable leaves out what nobody pays for.
	Billable bool
}

// Takes reports whether the filter leaves the usage of a row.
func (f ItemFilter) Takes(row Row) bool {
	return (f.Environment == "" || row.Environment == f.Environment) && (row.Billable || !f.Billable)
}

// Export is how far an export has come.
type Export struct {
	Name string `json:"name"`
	// Cursor is the number up to which the other side has taken everything.
	Cursor int64 `json:"cursor"`
	// Planned is the end of the batch that is under way, or Cursor. A batch that
	// was begun is sent again with the same bounds until it is taken.
	Planned int64 `json:"planned"`
	// Items is how many the other side has taken.
	Items int64 `json:"items"`
	// Settings are what the export must keep to for its life.
	Settings  string    `json:"settings"`
	UpdatedAt time.Time `json:"updated_at"`
}

// WindowKey is what is added up before it is exported.
type WindowKey struct {
	Tenant events.TenantID `json:"tenant"`
	Meter  events.Meter    `json:"meter"`
	Unit   string          `json:"unit"`
	Start  time.Time       `json:"start"`
	End    time.Time       `json:"end"`
}

// Window is a sum that waits, and how often sums of the same window have left.
type Window struct {
	WindowKey

	Pending Change `json:"pending"`
	Version int64  `json:"version"`
}

// SendState is what became of a sum that left.
type SendState string

// States of a [Send].
const (
	// SendReady: it is to be sent.
	SendReady SendState = "ready"
	// SendTried: it may have arrived; sending it again does no harm for as long
	// as the other side remembers it.
	SendTried SendState = "tried"
	// SendHeld: it takes away more than the other side has taken, which the other
	// side would bill as nothing and not as less. It is sent once there is enough.
	SendHeld SendState = "held"
	// SendAccepted: the other side has it.
	SendAccepted SendState = "accepted"
	// SendRefused: the other side will not take it as it is.
	SendRefused SendState = "refused"
	// SendCorrection: it came when the other side could no longer bill it. It is
	// to be corrected there by hand.
	SendCorrection SendState = "correction"
	// SendUnknown: nobody can tell any more whether it arrived.
	SendUnknown SendState = "unknown"
)

// Send is one sum on its way to another system, named once for ever.
type Send struct {
	WindowKey

	Identifier string    `json:"identifier"`
	Version    int64     `json:"version"`
	Value      Change    `json:"value"`
	State      SendState `json:"state"`
	Detail     string    `json:"detail,omitempty"`
	TriedAt    time.Time `json:"tried_at,omitzero"`
}
