package rating

import (
	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/usage"
)

// LineMinimumFee is the line that lifts a bill to the card's minimum fee.
const LineMinimumFee = "minimum_fee"

// Bill is what usage costs by a rate card. Its JSON is the contract of the
// billing API: decimals are strings, lines stand in the order of the card.
type Bill struct {
	Currency money.Currency `json:"currency"`
	// Total is the exact sum of the lines' amounts.
	Total money.Amount `json:"total"`
	Lines []Line       `json:"lines"`
	// Unpriced is billable usage that no price takes. It costs nothing yet and
	// is never left out in silence.
	Unpriced []Unpriced `json:"unpriced,omitempty"`
	// Version is that of the rate card.
	Version string `json:"-"`
}

// Line is what one price of the card came to, with the price as it was: a later
// card changes no line.
type Line struct {
	// Meter is the line's name on the card, such as tool_calls.
	Meter string `json:"meter"`
	// Server, Tool and Model are set where the price is for these alone.
	Server string `json:"server,omitempty"`
	Tool   string `json:"tool,omitempty"`
	Model  string `json:"model,omitempty"`
	// Quantity is all that was used, Included the part of it that is free.
	Quantity usage.Amount `json:"quantity"`
	Included usage.Amount `json:"included,omitzero"`
	// UnitPrice is the price of one unit, exact; empty where tiers or a
	// percentage price the line.
	UnitPrice Price  `json:"unit_price,omitempty"`
	Tiers     []Tier `json:"tiers,omitempty"`
	// Percentage is of each of Events.
	Percentage *Percentage `json:"percentage,omitempty"`
	Events     int64       `json:"events,omitempty"`
	// Amount is the product, rounded once, half to even.
	Amount money.Amount `json:"amount"`
	// Exact is the product before that.
	Exact *apd.Decimal `json:"-"`
	// Source says which usage the line is of.
	Source Source `json:"-"`
}

// Source is which usage a line is of: what [Line] shows, as events have it.
type Source struct {
	Meter events.Meter
	Unit  string
}

// Unpriced is a quantity without a price.
type Unpriced struct {
	Meter    events.Meter `json:"meter"`
	Unit     string       `json:"unit"`
	Quantity usage.Amount `json:"quantity"`
}

// Price is the exact price of one unit in major units, as a decimal text
// without exponent.
type Price string
