package commerce

import (
	"context"
	"encoding/json"
	"regexp"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

const payAbout = "Pay somebody, as a supplier, from the business's account to a Pix key (action pay), or read what became of a payment (action status). This moves money and cannot be called back. " +
	"amount is in MINOR units (R$ 19,90 is 1990 centavos), unlike codespar_charge, which takes major units."

const paySchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["action"],
  "properties": {
    "action": {"enum": ["pay", "status"]},
    "amount": {"type": "number", "description": "In MINOR units, whole: R$ 19,90 is 1990"},
    "currency": {"type": "string", "pattern": "^[A-Za-z]{3}$", "description": "As BRL"},
    "country": {"type": "string", "pattern": "^[A-Z]{2}$", "description": "As BR"},
    "method": {"type": "string", "maxLength": 20, "description": "pix, unless told otherwise"},
    "recipient": {"type": "string", "minLength": 1, "maxLength": 77, "description": "Pix key of the receiver: CPF, CNPJ, e-mail, telephone as +5511987654321, or random key"},
    "recipient_type": {"enum": ["CPF", "CNPJ", "EMAIL", "PHONE", "EVP"], "description": "Kind of Pix key, where it cannot be told from the key"},
    "copia_e_cola": {"type": "string", "maxLength": 1000, "description": "A Pix code to pay, where the provider can"},
    "description": {"type": "string", "minLength": 1, "maxLength": 140},
    "payment_id": {"type": "string", "minLength": 1, "maxLength": 64, "description": "For action status: the id that action pay answered with"}
  }
}`

// paying is the arguments of a payment.
type paying struct {
	Action        string      `json:"action"`
	Amount        json.Number `json:"amount"`
	Currency      string      `json:"currency"`
	Country       string      `json:"country"`
	Method        string      `json:"method"`
	Recipient     string      `json:"recipient"`
	RecipientType string      `json:"recipient_type"`
	CopiaECola    string      `json:"copia_e_cola"`
	Description   string      `json:"description"`
	PaymentID     string      `json:"payment_id"`

	money money
	key   pixKey
}

// paid is what codespar_pay answers. Its amount is in minor units.
type paid struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Method   string `json:"method"`
	Raw      any    `json:"raw,omitempty"`
}

func (m *Market) pay(ctx context.Context, r *run) (string, error) {
	var in paying
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	if err := in.complete(); err != nil {
		return "", err
	}
	if _, err := r.pick(ctx, order{deed: deedPay, fits: in.fits}); err != nil {
		return "", err
	}
	var made paid
	var err error
	if in.Action == "status" {
		r.reads()
		made, err = r.transferAtAsaas(ctx, in.PaymentID)
	} else {
		made, err = r.payAtAsaas(ctx, in)
	}
	if err != nil {
		return "", err
	}
	bare := made
	bare.Raw = nil
	return r.reported(made, bare)
}

// complete holds the arguments against what their action needs.
func (in *paying) complete() error {
	if in.Action == "status" {
		if in.PaymentID == "" {
			return misfit("/payment_id", "is missing, which action status needs")
		}
		return nil
	}
	for _, needed := range []struct {
		field string
		given bool
	}{
		{"/amount", in.Amount != ""},
		{"/currency", in.Currency != ""},
		{"/description", in.Description != ""},
		{"/recipient", in.Recipient != "" || in.CopiaECola != ""},
	} {
		if !needed.given {
			return misfit(needed.field, "is missing, which action pay needs")
		}
	}
	amount, err := readMinor("/amount", in.Amount, in.Currency)
	if err != nil || in.Recipient == "" {
		in.money = amount
		return err
	}
	in.money = amount
	in.key, err = readPixKey(in.Recipient, in.RecipientType)
	return err
}

// fits says why a server cannot make this payment.
func (in *paying) fits(string) string {
	switch {
	case in.Method != "" && in.Method != methodPix:
		return "it pays by pix alone (/method)"
	case in.Country != "" && in.Country != "BR":
		return "it pays in BR alone (/country)"
	case in.CopiaECola != "":
		return "it has no tool that pays a Pix code (/copia_e_cola); give the Pix key of the receiver as /recipient"
	case in.Action == "pay" && in.money.currency != brl:
		return "it pays in BRL alone (/currency)"
	default:
		return ""
	}
}

// pixKey is where a Pix goes.
type pixKey struct{ value, kind string }

var (
	randomKey = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	phoneKey  = regexp.MustCompile(`^\+55[0-9]{10,11}$`)
	mailKey   = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	cpfKey    = regexp.MustCompile(`^[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}$`)
	cnpjKey   = regexp.MustCompile(`^[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9A-Z]{4}-?[0-9]{2}$`)
	bareCell  = regexp.MustCompile(`^[1-9][0-9]9[0-9]{8}$`)
)

// readPixKey tells what kind of key a text is. One that may be of two kinds is
// refused, for the money would go to whoever has the other.
func readPixKey(text, kind string) (pixKey, error) {
	const field = "/recipient"
	if kind == "" && bareCell.MatchString(text) {
		return pixKey{}, misfit(field, "may be a CPF or a telephone: give /recipient_type, or write a telephone as +5511987654321")
	}
	for _, one := range []struct {
		kind    string
		pattern *regexp.Regexp
		value   string
	}{
		{"PHONE", phoneKey, text},
		{"PHONE", bareCell, text},
		{"EMAIL", mailKey, text},
		{"EVP", randomKey, text},
		{"CPF", cpfKey, digits(text)},
		{"CNPJ", cnpjKey, taxpayer(text)},
	} {
		if (kind == "" || kind == one.kind) && one.pattern.MatchString(text) {
			return pixKey{value: one.value, kind: one.kind}, nil
		}
	}
	if kind != "" {
		return pixKey{}, misfit(field, "is no Pix key of the kind %s", kind)
	}
	return pixKey{}, misfit(field, "is no Pix key")
}

func transferStatuses() map[string]string {
	return map[string]string{
		"PENDING": statusPending, "BANK_PROCESSING": statusPending, "DONE": statusSucceeded, "CANCELLED": "cancelled", "FAILED": statusFailed,
	}
}

// payAtAsaas sends a Pix to a key. In doubt, it is looked for and never sent again.
func (r *run) payAtAsaas(ctx context.Context, in paying) (paid, error) {
	value := in.key.value
	if in.key.kind == "PHONE" {
		value = digits(value)
		value = value[len(value)-min(len(value), 11):] // without the country
	}
	answer, err := r.do(ctx, step{
		name: stepCreateTransfer, server: serverAsaas, tool: "create_transfer", did: created("transfer"),
		arguments: object{
			"value": in.money.major(), "pixAddressKey": value, "pixAddressKeyType": in.key.kind, "description": in.Description,
		},
	})
	if err != nil {
		return paid{}, err
	}
	return paid{
		ID: answer.text("id"), Status: normal(answer.text("status"), transferStatuses()), Amount: in.money.minor, Currency: brl, Method: methodPix, Raw: answer,
	}, nil
}

// Pages of transfers that are gone through to find one: Asaas's tools here have
// none that reads a single transfer.
const (
	transferPages = 10
	transferPage  = 20
)

func (r *run) transferAtAsaas(ctx context.Context, id string) (paid, error) {
	for page := range int64(transferPages) {
		answer, err := r.do(ctx, step{
			name: "list_transfers", server: serverAsaas, tool: "list_transfers",
			arguments: object{"limit": transferPage, "offset": page * transferPage},
		})
		if err != nil {
			return paid{}, err
		}
		for _, one := range answer.objects("data") {
			if one.text("id") == id {
				minor, _ := centsOf(one.text("value"))
				return paid{ID: id, Status: normal(one.text("status"), transferStatuses()), Amount: minor, Currency: brl, Method: methodPix, Raw: one}, nil
			}
		}
		if !answer.is("hasMore") {
			break
		}
	}
	return paid{}, &haltError{result: agent.Result{Status: events.ToolError, Fault: &events.ToolFault{
		Code: events.FaultProviderError, Message: "there is no transfer of that id among the latest",
	}}}
}
