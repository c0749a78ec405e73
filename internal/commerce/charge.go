package commerce

import (
	"context"
	"encoding/json"
	"time"
)

// Ways in which a buyer pays.
const (
	methodPix    = "pix"
	methodBoleto = "boleto"
	methodCard   = "card"
)

// dueDays is how long a buyer has to pay when nobody says.
const dueDays = 3

const chargeAbout = "Charge a buyer: make a payment that the buyer then pays by Pix, boleto or card, at whichever provider this business uses for it. " +
	"amount is in MAJOR units (R$ 19,90 is 19.90), unlike codespar_pay, which takes minor units. " +
	"Answers with the charge's id and what the buyer needs to pay: charge_url, and for Pix the code."

const chargeSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["amount", "currency", "method", "description", "buyer"],
  "properties": {
    "amount": {"type": "number", "description": "In MAJOR units: R$ 19,90 is 19.90"},
    "currency": {"type": "string", "pattern": "^[A-Za-z]{3}$", "description": "As BRL"},
    "method": {"enum": ["pix", "boleto", "card"]},
    "description": {"type": "string", "minLength": 1, "maxLength": 500, "description": "What the buyer pays for"},
    "buyer": {
      "type": "object",
      "additionalProperties": false,
      "required": ["name"],
      "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "email": {"type": "string", "maxLength": 100},
        "document": {"type": "string", "maxLength": 20, "description": "CPF or CNPJ; needed for Pix and boleto"},
        "phone": {"type": "string", "maxLength": 20}
      }
    },
    "due_date": {"type": "string", "format": "date", "description": "YYYY-MM-DD, in three days unless told otherwise; a card at Stripe has none"},
    "success_url": {"type": "string", "pattern": "^https://", "maxLength": 2000, "description": "Where the buyer goes after paying on a page of Stripe's; with it Stripe makes such a page"}
  }
}`

// charging is the arguments of a charge.
type charging struct {
	Amount      json.Number `json:"amount"`
	Currency    string      `json:"currency"`
	Method      string      `json:"method"`
	Description string      `json:"description"`
	Buyer       buyer       `json:"buyer"`
	DueDate     string      `json:"due_date"`
	SuccessURL  string      `json:"success_url"`

	money money
}

type buyer struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Document string `json:"document"`
	Phone    string `json:"phone"`
}

// charged is what codespar_charge answers.
type charged struct {
	ID           string      `json:"id"`
	Status       string      `json:"status"`
	Amount       json.Number `json:"amount"`
	Currency     string      `json:"currency"`
	Method       string      `json:"method"`
	ChargeURL    string      `json:"charge_url,omitempty"`
	PixQRCode    string      `json:"pix_qr_code,omitempty"`
	PixCopyPaste string      `json:"pix_copy_paste,omitempty"`
	Raw          any         `json:"raw,omitempty"`
}

func (m *Market) charge(ctx context.Context, r *run) (string, error) {
	var in charging
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	amount, err := readMajor("/amount", in.Amount, in.Currency)
	if err != nil {
		return "", err
	}
	in.money = amount
	server, err := r.pick(ctx, order{deed: deedCharge, method: in.Method, fits: in.fits})
	if err != nil {
		return "", err
	}
	made := charged{Amount: in.money.major(), Currency: in.money.currency, Method: in.Method}
	if server == serverAsaas {
		err = r.chargeAtAsaas(ctx, in, &made)
	} else {
		err = r.chargeAtStripe(ctx, in, &made)
	}
	if err != nil {
		return "", err
	}
	bare := made
	bare.Raw = nil
	barest := bare
	barest.PixQRCode = "" // the code as text says the same
	return r.reported(made, bare, barest)
}

// fits says why a server cannot make this charge.
func (in charging) fits(server string) string {
	switch {
	case server == serverAsaas && in.money.currency != brl:
		return "it charges in BRL alone (/currency)"
	case server == serverStripe && in.Method != methodCard && in.money.currency != brl:
		return "it takes " + in.Method + " in BRL alone (/currency)"
	case server == serverStripe && in.Method != methodCard && in.SuccessURL == "":
		return "it takes " + in.Method + " on a page of its own, which needs /success_url"
	default:
		return ""
	}
}

// today is the day in Brasília, where due dates are counted.
func (m *Market) today() time.Time {
	return m.cfg.Now().In(time.FixedZone("BRT", -3*60*60))
}

func (m *Market) due(given string) string {
	if given != "" {
		return given
	}
	return m.today().AddDate(0, 0, dueDays).Format(time.DateOnly)
}
