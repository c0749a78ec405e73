package rating

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/schemas/ratecard"
)

//go:embed default_ratecard.yaml
var defaultCard string

// cardSchema is the $id of the schema, by which faults name it.
const cardSchema = "https://feira.dev/schemas/ratecard/ratecard.schema.json"

// Kind says whether a card holds what tenants pay or what they cost us.
type Kind string

// Kinds of cards.
const (
	KindPrice Kind = "price"
	KindCost  Kind = "cost"
)

// Card is what each unit of usage costs. It comes from [Parse] or [Default] and
// does not change.
type Card struct {
	Version string
	Kind    Kind
	// Tenants are those for whom the card is; empty means all.
	Tenants  []events.TenantID
	Currency money.Currency
	// EffectiveFrom is the first moment at which the card is in force.
	EffectiveFrom time.Time
	// MinimumFee is what a period costs at least.
	MinimumFee money.Amount
	// Text is what the card was read from.
	Text   []byte
	prices []price
}

// Default is the card that bills when an operator gives no other.
func Default() (*Card, error) { return Parse([]byte(defaultCard)) }

// Parse reads a card from YAML or JSON. It holds it to the schema, then to the
// rules that a schema cannot say, and joins every fault in [ErrInvalidCard].
func Parse(text []byte) (*Card, error) {
	if err := checkSchema(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidCard, err)
	}
	var written writtenCard
	if err := yaml.UnmarshalWithOptions(text, &written, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidCard, err)
	}
	card, err := written.card()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidCard, err)
	}
	card.Text = slices.Clone(text)
	return card, nil
}

// compiled is the schema of rate cards, which takes longer to compile than a
// card takes to read.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(ratecard.Schema()))
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(cardSchema, schema); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	compiled, err := compiler.Compile(cardSchema)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema: %w", err)
	}
	return compiled, nil
})

func checkSchema(text []byte) error {
	schema, err := compiled()
	if err != nil {
		return err
	}
	converted, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(converted)))
	if err != nil {
		return err
	}
	return schema.Validate(document)
}

type writtenCard struct {
	Version       string            `yaml:"version"`
	Kind          Kind              `yaml:"kind"`
	Tenants       []events.TenantID `yaml:"tenants"`
	Currency      money.Currency    `yaml:"currency"`
	EffectiveFrom string            `yaml:"effective_from"`
	MinimumFee    string            `yaml:"minimum_fee"`
	Prices        []writtenPrice    `yaml:"prices"`
}

func (w writtenCard) card() (*Card, error) {
	card := &Card{Version: w.Version, Kind: w.Kind, Tenants: w.Tenants, Currency: w.Currency}
	if card.Kind == "" {
		card.Kind = KindPrice
	}
	var faults []error
	from, err := time.Parse(time.RFC3339, w.EffectiveFrom)
	if err != nil {
		faults = append(faults, fmt.Errorf("effective_from: %w", err))
	}
	card.EffectiveFrom = from
	if w.MinimumFee == "" {
		w.MinimumFee = "0"
	}
	if card.MinimumFee, err = money.Parse(w.MinimumFee, w.Currency); err != nil {
		faults = append(faults, fmt.Errorf("minimum_fee: %w", err))
	}
	if card.Kind == KindCost && !card.MinimumFee.IsZero() {
		faults = append(faults, errors.New("minimum_fee: a card of kind cost has none"))
	}
	for i, written := range w.Prices {
		parsed, err := written.price(w.Currency)
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

// find returns the place of the most specific price that takes the usage.
func (c *Card) find(key usage.Key) (int, bool) {
	best, weight := 0, -1
	for i, candidate := range c.prices {
		if candidate.selector.takes(key) && candidate.selector.weight() > weight {
			best, weight = i, candidate.selector.weight()
		}
	}
	return best, weight >= 0
}

// LineOf is the line that usage of a key is priced on, without quantity and
// amount; false when no price takes it.
func (c *Card) LineOf(key usage.Key) (Line, bool) {
	place, ok := c.find(key)
	if !ok {
		return Line{}, false
	}
	price := c.prices[place]
	return Line{
		Meter: price.line, Server: price.selector.server, Tool: price.selector.tool, Model: price.selector.model,
		Source: Source{Meter: price.selector.meter, Unit: price.selector.unit},
	}, true
}

// Each lists the meters of which the card prices each event on its own; for
// these [Rate] wants [usage.Charges].
func (c *Card) Each() []events.Meter {
	var meters []events.Meter
	for _, price := range c.prices {
		if price.percentage != nil && !slices.Contains(meters, price.selector.meter) {
			meters = append(meters, price.selector.meter)
		}
	}
	return meters
}

// Cards are the versions of an operator's cards.
type Cards []*Card

// At is the card of a kind in force for a tenant at a moment: the one that took
// effect last, of those that name the tenant where any does. A period is billed
// by the card in force when it begins.
func (c Cards) At(moment time.Time, kind Kind, tenant events.TenantID) (*Card, error) {
	var found *Card
	own := false
	for _, card := range c {
		names := slices.Contains(card.Tenants, tenant)
		if card.Kind != kind || card.EffectiveFrom.After(moment) || len(card.Tenants) > 0 && !names {
			continue
		}
		if found == nil || names && !own || names == own && later(card, found) {
			found, own = card, names
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: of kind %s at %s", ErrNoCard, kind, moment.Format(time.RFC3339))
	}
	return found, nil
}

// later orders cards by their beginning, then by their version, so that two of
// one moment are not a matter of their order.
func later(card, than *Card) bool {
	if !card.EffectiveFrom.Equal(than.EffectiveFrom) {
		return card.EffectiveFrom.After(than.EffectiveFrom)
	}
	return card.Version > than.Version
}
