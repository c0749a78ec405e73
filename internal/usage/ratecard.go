package usage

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/schemas/ratecard"
)

//go:embed default_ratecard.yaml
var defaultRateCard string

// ratecardSchema is the $id of the schema, by which faults name it.
const ratecardSchema = "https://feira.dev/schemas/ratecard/ratecard.schema.json"

// RateCard is what a tenant pays for each unit that it used. It comes from
// [ParseRateCard] or [DefaultRateCard] and does not change.
type RateCard struct {
	Version  string
	Currency Currency
	// EffectiveFrom is the first moment at which the card is in force.
	EffectiveFrom time.Time
	prices        []price
}

// price is one line of a bill before there is usage.
type price struct {
	line     string
	selector selector
	unit     *apd.Decimal // of one unit, exact
	included Amount
}

// selector says which usage a price takes; an empty server, tool or model
// takes any.
type selector struct {
	meter               events.Meter
	unit                string
	server, tool, model string
}

func (s selector) takes(key Key) bool {
	return s.meter == key.Meter && s.unit == key.Unit &&
		(s.server == "" || s.server == key.Server) &&
		(s.tool == "" || s.tool == key.Tool) &&
		(s.model == "" || s.model == key.Model)
}

// weight orders the prices that take the same usage. Two with one weight ask
// for the same fields, so both can only take it if they are equal, which
// parsing refuses.
func (s selector) weight() int {
	weight := 0
	if s.tool != "" {
		weight += 4
	}
	if s.server != "" {
		weight += 2
	}
	if s.model != "" {
		weight++
	}
	return weight
}

// DefaultRateCard is the card that bills when an operator gives no other.
func DefaultRateCard() (*RateCard, error) { return ParseRateCard([]byte(defaultRateCard)) }

// ParseRateCard reads a card from YAML or JSON. It holds it to the schema, then
// to the rules that a schema cannot say, and joins every fault in
// [ErrInvalidRateCard].
func ParseRateCard(text []byte) (*RateCard, error) {
	if err := checkSchema(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidRateCard, err)
	}
	var written writtenCard
	if err := yaml.UnmarshalWithOptions(text, &written, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidRateCard, err)
	}
	card, err := written.card()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidRateCard, err)
	}
	return card, nil
}

func checkSchema(text []byte) error {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(ratecard.Schema()))
	if err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(ratecardSchema, schema); err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	compiled, err := compiler.Compile(ratecardSchema)
	if err != nil {
		return fmt.Errorf("compiling the schema: %w", err)
	}
	converted, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(converted)))
	if err != nil {
		return err
	}
	return compiled.Validate(document)
}

type writtenCard struct {
	Version       string         `yaml:"version"`
	Currency      Currency       `yaml:"currency"`
	EffectiveFrom string         `yaml:"effective_from"`
	Prices        []writtenPrice `yaml:"prices"`
}

type writtenPrice struct {
	Line      string       `yaml:"line"`
	Meter     events.Meter `yaml:"meter"`
	Unit      string       `yaml:"unit"`
	Server    string       `yaml:"server"`
	Tool      string       `yaml:"tool"`
	Model     string       `yaml:"model"`
	UnitPrice string       `yaml:"unit_price"`
	Per       int64        `yaml:"per"`
	Included  string       `yaml:"included"`
}

func (w writtenCard) card() (*RateCard, error) {
	card := &RateCard{Version: w.Version, Currency: w.Currency}
	var faults []error
	from, err := time.Parse(time.RFC3339, w.EffectiveFrom)
	if err != nil {
		faults = append(faults, fmt.Errorf("effective_from: %w", err))
	}
	card.EffectiveFrom = from
	if _, err := w.Currency.Exponent(); err != nil {
		faults = append(faults, fmt.Errorf("currency: %w", err))
	}
	for i, written := range w.Prices {
		parsed, err := written.price()
		if err != nil {
			faults = append(faults, fmt.Errorf("prices[%d]: %w", i, err))
			continue
		}
		if slices.ContainsFunc(card.prices, func(earlier price) bool { return earlier.selector == parsed.selector }) {
			faults = append(faults, fmt.Errorf("prices[%d]: another price takes the same usage", i))
		}
		card.prices = append(card.prices, parsed)
	}
	return card, errors.Join(faults...)
}

func (w writtenPrice) price() (price, error) {
	parsed := price{
		line:     w.Line,
		selector: selector{meter: w.Meter, unit: w.Unit, server: w.Server, tool: w.Tool, model: w.Model},
	}
	written, _, err := apd.NewFromString(w.UnitPrice)
	if err != nil {
		return price{}, fmt.Errorf("unit_price: %w", err)
	}
	context := exact()
	parsed.unit = new(apd.Decimal)
	if _, err := context.Quo(parsed.unit, written, apd.New(max(w.Per, 1), 0)); err != nil {
		return price{}, fmt.Errorf("unit_price per %d is not exact: %w", w.Per, err)
	}
	if w.Included != "" {
		if parsed.included, err = ParseAmount(w.Included); err != nil {
			return price{}, fmt.Errorf("included: %w", err)
		}
	}
	return parsed, nil
}

// find returns the place of the most specific price that takes the usage.
func (c *RateCard) find(key Key) (int, bool) {
	best, weight := 0, -1
	for i, candidate := range c.prices {
		if candidate.selector.takes(key) && candidate.selector.weight() > weight {
			best, weight = i, candidate.selector.weight()
		}
	}
	return best, weight >= 0
}

// RateCards are the versions of an operator's card.
type RateCards []*RateCard

// At is the card in force at a moment: the one that took effect last. A period
// is billed by the card in force when it begins.
func (c RateCards) At(moment time.Time) (*RateCard, error) {
	var found *RateCard
	for _, card := range c {
		if card.EffectiveFrom.After(moment) {
			continue
		}
		if found == nil || card.EffectiveFrom.After(found.EffectiveFrom) {
			found = card
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: at %s", ErrNoRateCard, moment.Format(time.RFC3339))
	}
	return found, nil
}
