package commerce

import (
	"context"
	"encoding/json"
	"regexp"
	"time"
)

// Actions of a shipment.
const (
	actionQuote = "quote"
	actionLabel = "label"
	actionTrack = "track"
)

const shipAbout = "Quote, buy or track the shipping of a parcel, at whichever carrier this business uses. " +
	"Action label buys a label or registers the parcel, which may spend money; quote and track only read. cost_minor is in minor units (centavos)."

const shipSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["action"],
  "properties": {
    "action": {"enum": ["quote", "label", "track"]},
    "origin": {"$ref": "#/$defs/address"},
    "destination": {"$ref": "#/$defs/address"},
    "items": {
      "type": "array", "minItems": 1, "maxItems": 50,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["weight_g"],
        "properties": {
          "weight_g": {"type": "number", "exclusiveMinimum": 0, "maximum": 30000, "description": "Grams, of one"},
          "width_cm": {"type": "number", "exclusiveMinimum": 0, "maximum": 200},
          "height_cm": {"type": "number", "exclusiveMinimum": 0, "maximum": 200},
          "length_cm": {"type": "number", "exclusiveMinimum": 0, "maximum": 200},
          "quantity": {"type": "integer", "minimum": 1, "maximum": 100},
          "declared_value": {"type": "number", "minimum": 0, "maximum": 999999.99, "description": "Of one, in MAJOR units (reais)"},
          "description": {"type": "string", "minLength": 1, "maxLength": 100}
        }
      }
    },
    "service_level": {"enum": ["fastest", "cheapest", "standard"], "description": "cheapest unless told otherwise; standard is the same"},
    "tracking_code": {"type": "string", "pattern": "^[A-Za-z0-9-]{6,64}$", "description": "For action track: the tracking code, or the id that action label answered with"},
    "metadata": {"type": "object", "maxProperties": 20, "description": "Own notes; they stay in this session's log"}
  },
  "$defs": {
    "address": {
      "type": "object",
      "additionalProperties": false,
      "required": ["postal_code"],
      "properties": {
        "postal_code": {"type": "string", "pattern": "^[0-9]{5}-?[0-9]{3}$", "description": "CEP"},
        "name": {"type": "string", "minLength": 1, "maxLength": 60, "description": "Who sends or receives; a label needs it"},
        "document": {"type": "string", "maxLength": 20, "description": "CPF or CNPJ"},
        "email": {"type": "string", "maxLength": 100},
        "phone": {"type": "string", "maxLength": 20},
        "line_1": {"type": "string", "minLength": 1, "maxLength": 60, "description": "Street"},
        "number": {"type": "string", "maxLength": 6},
        "complement": {"type": "string", "maxLength": 30},
        "district": {"type": "string", "maxLength": 30},
        "city": {"type": "string", "minLength": 1, "maxLength": 30},
        "state": {"type": "string", "pattern": "^[A-Z]{2}$"},
        "country": {"type": "string", "pattern": "^[A-Z]{2}$"}
      }
    }
  }
}`

type shipping struct {
	Action       string   `json:"action"`
	Origin       *address `json:"origin"`
	Destination  *address `json:"destination"`
	Items        []item   `json:"items"`
	ServiceLevel string   `json:"service_level"`
	TrackingCode string   `json:"tracking_code"`
}

type address struct {
	PostalCode string `json:"postal_code"`
	Name       string `json:"name"`
	Document   string `json:"document"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	Line1      string `json:"line_1"`
	Number     string `json:"number"`
	Complement string `json:"complement"`
	District   string `json:"district"`
	City       string `json:"city"`
	State      string `json:"state"`
	Country    string `json:"country"`
}

type item struct {
	Weight        json.Number `json:"weight_g"`
	Width         json.Number `json:"width_cm"`
	Height        json.Number `json:"height_cm"`
	Length        json.Number `json:"length_cm"`
	Quantity      json.Number `json:"quantity"`
	DeclaredValue json.Number `json:"declared_value"`
	Description   string      `json:"description"`
}

// shipped is what codespar_ship answers.
type shipped struct {
	ID                string `json:"id"`
	Status            string `json:"status"`
	TrackingCode      string `json:"tracking_code,omitempty"`
	LabelURL          string `json:"label_url,omitempty"`
	Carrier           string `json:"carrier,omitempty"`
	EstimatedDelivery string `json:"estimated_delivery,omitempty"`
	CostMinor         *int64 `json:"cost_minor,omitempty"`
	Raw               any    `json:"raw,omitempty"`
}

// carrier is a server's recipes for shipping.
type carrier struct {
	quote func(context.Context, shipping) (shipped, error)
	label func(context.Context, shipping) (shipped, error)
	track func(context.Context, string) (shipped, error)
}

func (r *run) carrier(server string) carrier {
	if server == serverCorreios {
		return carrier{quote: r.quoteAtCorreios, label: r.labelAtCorreios, track: r.trackAtCorreios}
	}
	return carrier{quote: r.quoteAtMelhorEnvio, label: r.labelAtMelhorEnvio, track: r.trackAtMelhorEnvio}
}

func (m *Market) ship(ctx context.Context, r *run) (string, error) {
	var in shipping
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	if err := in.complete(); err != nil {
		return "", err
	}
	if in.Action != actionLabel {
		r.reads()
	}
	server, err := r.pick(ctx, order{deed: deedShip, fits: in.fits})
	if err != nil {
		return "", err
	}
	var made shipped
	switch in.Action {
	case actionQuote:
		made, err = r.carrier(server).quote(ctx, in)
	case actionLabel:
		made, err = r.carrier(server).label(ctx, in)
	default:
		made, err = r.carrier(server).track(ctx, in.TrackingCode)
	}
	if err != nil {
		return "", err
	}
	bare := made
	bare.Raw = nil
	return r.reported(made, bare)
}

var objectCode = regexp.MustCompile(`^[A-Z]{2}[0-9]{9}[A-Z]{2}$`)

// fits says why a server cannot do this.
func (in shipping) fits(server string) string {
	if in.Action == actionTrack && server == serverCorreios && !objectCode.MatchString(in.TrackingCode) {
		return "it tracks by codes like AA123456789BR alone (/tracking_code)"
	}
	return ""
}

// complete holds the arguments against what their action needs, and fills what
// may be left out.
func (in *shipping) complete() error {
	if in.Action == actionTrack {
		if in.TrackingCode == "" {
			return misfit("/tracking_code", "is missing, which action track needs")
		}
		return nil
	}
	for _, end := range []struct {
		field string
		at    *address
	}{{"/origin", in.Origin}, {"/destination", in.Destination}} {
		if end.at == nil {
			return misfit(end.field, "is missing, which action %s needs", in.Action)
		}
		if end.at.Country != "" && end.at.Country != "BR" {
			return misfit(end.field+"/country", "is not BR: parcels are sent within Brazil alone")
		}
		end.at.PostalCode = digits(end.at.PostalCode)
		if in.Action == actionLabel {
			if err := end.at.complete(end.field); err != nil {
				return err
			}
		}
	}
	if len(in.Items) == 0 {
		return misfit("/items", "is missing, which action %s needs", in.Action)
	}
	for i := range in.Items {
		in.Items[i].fill()
	}
	return nil
}

// complete wants of an address what a label shows.
func (a *address) complete(field string) error {
	for _, part := range []struct{ name, value string }{
		{"name", a.Name}, {"line_1", a.Line1}, {"number", a.Number}, {"city", a.City}, {"state", a.State},
	} {
		if part.value == "" {
			return misfit(field, "is missing %s, which action label needs", part.name)
		}
	}
	if a.Document != "" && !taxpayerPattern.MatchString(taxpayer(a.Document)) {
		return misfit(field+"/document", "is no CPF or CNPJ")
	}
	a.Document, a.Phone = taxpayer(a.Document), digits(a.Phone)
	return nil
}

// The smallest box that the post takes stands in for sizes that are left out.
const (
	leastLength = "16"
	leastWidth  = "11"
	leastHeight = "2"
)

func (i *item) fill() {
	for _, part := range []struct {
		value *json.Number
		least string
	}{{&i.Length, leastLength}, {&i.Width, leastWidth}, {&i.Height, leastHeight}, {&i.Quantity, "1"}} {
		if *part.value == "" {
			*part.value = json.Number(part.least)
		}
	}
	if i.Description == "" {
		i.Description = "Item"
	}
}

// offer is one way to send a parcel, at a price.
type offer struct {
	id      string
	carrier string
	cents   int64
	days    int64 // 0 when nobody said
}

// best picks an offer by the level of service: the cheapest, or the fastest of
// those that say how long they take. Equal ones go by the order of the offers.
func (in shipping) best(offers []offer) (offer, bool) {
	if len(offers) == 0 {
		return offer{}, false
	}
	picked := offers[0]
	for _, one := range offers[1:] {
		better := one.cents < picked.cents
		if in.ServiceLevel == "fastest" {
			better = one.days > 0 && (picked.days == 0 || one.days < picked.days || one.days == picked.days && one.cents < picked.cents)
		}
		if better {
			picked = one
		}
	}
	return picked, true
}

// tell writes an offer into a result.
func (o offer) tell(made *shipped, today time.Time) {
	made.Carrier, made.CostMinor = o.carrier, &o.cents
	if o.days > 0 {
		made.EstimatedDelivery = today.AddDate(0, 0, int(o.days)).Format(time.DateOnly)
	}
}
