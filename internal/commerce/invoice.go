package commerce

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/cockroachdb/apd/v3"
)

// Kinds of fiscal document.
const (
	typeNFSe = "nfse"
	typeNFe  = "nfe"
)

// Actions on a fiscal document.
const (
	actionIssue  = "issue"
	actionStatus = "status"
	actionAmend  = "amend"
)

const invoiceAbout = "Issue a Brazilian fiscal document (action issue, the default), read its state at the tax office (status), or amend it (amend): " +
	"by correction letter where correction is given, otherwise by cancelling it for reason. type nfse is for services, nfe for goods. " +
	"Prices are in MAJOR units (R$ 19,90 is 19.90). It cannot be taken back."

const invoiceSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["type"],
  "properties": {
    "type": {"enum": ["nfse", "nfe"]},
    "action": {"enum": ["issue", "status", "amend"], "description": "issue unless told otherwise"},
    "issuer": {"type": "string", "maxLength": 20, "description": "CNPJ or CPF of the issuing company, where the account has several"},
    "recipient": {
      "type": "object",
      "additionalProperties": false,
      "required": ["name", "document"],
      "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 60},
        "document": {"type": "string", "maxLength": 20, "description": "CPF or CNPJ"},
        "email": {"type": "string", "maxLength": 60},
        "address": {
          "type": "object",
          "additionalProperties": false,
          "required": ["postal_code", "number"],
          "description": "An nfe needs it",
          "properties": {
            "postal_code": {"type": "string", "pattern": "^[0-9]{5}-?[0-9]{3}$", "description": "CEP"},
            "line_1": {"type": "string", "maxLength": 60},
            "number": {"type": "string", "minLength": 1, "maxLength": 60},
            "complement": {"type": "string", "maxLength": 60},
            "district": {"type": "string", "maxLength": 60}
          }
        }
      }
    },
    "items": {
      "type": "array", "minItems": 1, "maxItems": 100,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["description", "unit_price"],
        "properties": {
          "description": {"type": "string", "minLength": 1, "maxLength": 120},
          "quantity": {"type": "integer", "minimum": 1, "maximum": 100000},
          "unit_price": {"type": "number", "description": "In MAJOR units: R$ 19,90 is 19.90"},
          "service_code": {"type": "string", "pattern": "^[0-9]{6}$", "description": "National code of the service (cTribNac); an nfse needs it"},
          "code": {"type": "string", "minLength": 1, "maxLength": 60, "description": "Own code of the product"},
          "ncm": {"type": "string", "pattern": "^[0-9]{8}$", "description": "An nfe needs it"},
          "cfop": {"type": "string", "pattern": "^[0-9]{4}$", "description": "An nfe needs it"}
        }
      }
    },
    "dueDate": {"type": "string", "format": "date", "description": "When an nfe is to be paid by, YYYY-MM-DD"},
    "payment_method": {"enum": ["cash", "card", "boleto", "pix"], "description": "An nfe needs it"},
    "number": {"type": "integer", "minimum": 1, "maximum": 999999999, "description": "Next number of the series; an nfe needs it"},
    "series": {"type": "integer", "minimum": 0, "maximum": 999, "description": "1 unless told otherwise"},
    "invoice_id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "description": "For status and amend: the id that issue answered with"},
    "correction": {"type": "string", "minLength": 15, "maxLength": 1000, "description": "Text of a correction letter, of an nfe alone"},
    "reason": {"type": "string", "minLength": 15, "maxLength": 255, "description": "Why the document is cancelled"}
  }
}`

type invoicing struct {
	Type          string        `json:"type"`
	Action        string        `json:"action"`
	Issuer        string        `json:"issuer"`
	Recipient     *invoiceParty `json:"recipient"`
	Items         []invoiceItem `json:"items"`
	DueDate       string        `json:"dueDate"`
	PaymentMethod string        `json:"payment_method"`
	Number        json.Number   `json:"number"`
	Series        json.Number   `json:"series"`
	InvoiceID     string        `json:"invoice_id"`
	Correction    string        `json:"correction"`
	Reason        string        `json:"reason"`

	total money
}

type invoiceParty struct {
	Name     string   `json:"name"`
	Document string   `json:"document"`
	Email    string   `json:"email"`
	Address  *address `json:"address"`
}

type invoiceItem struct {
	Description string      `json:"description"`
	Quantity    json.Number `json:"quantity"`
	UnitPrice   json.Number `json:"unit_price"`
	ServiceCode string      `json:"service_code"`
	Code        string      `json:"code"`
	NCM         string      `json:"ncm"`
	CFOP        string      `json:"cfop"`

	price, sum money
}

// invoiced is what codespar_invoice answers.
type invoiced struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Type      string `json:"type"`
	Number    string `json:"number,omitempty"`
	AccessKey string `json:"access_key,omitempty"`
	// Mechanism is how a document was amended.
	Mechanism string `json:"mechanism,omitempty"`
	Raw       any    `json:"raw,omitempty"`
}

func (m *Market) invoice(ctx context.Context, r *run) (string, error) {
	var in invoicing
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	if err := in.complete(); err != nil {
		return "", err
	}
	if in.Action == actionStatus {
		r.reads()
	}
	if _, err := r.pick(ctx, order{deed: deedInvoice}); err != nil {
		return "", err
	}
	var made invoiced
	var err error
	switch in.Action {
	case actionStatus:
		made, err = r.documentAtNuvemFiscal(ctx, in.Type, in.InvoiceID)
	case actionAmend:
		made, err = r.amendAtNuvemFiscal(ctx, in)
	default:
		made, err = r.issueAtNuvemFiscal(ctx, in)
	}
	if err != nil {
		return "", err
	}
	made.Type = in.Type
	bare := made
	bare.Raw = nil
	return r.reported(made, bare)
}

// complete holds the arguments against what their action and type need.
func (in *invoicing) complete() error {
	switch in.Action {
	case actionStatus, actionAmend:
		switch {
		case in.InvoiceID == "":
			return misfit("/invoice_id", "is missing, which action %s needs", in.Action)
		case in.Action == actionAmend && in.Correction == "" && in.Reason == "":
			return misfit("/reason", "is missing, which action amend needs unless /correction is given")
		case in.Action == actionAmend && in.Correction != "" && in.Type != typeNFe:
			return misfit("/correction", "is for an nfe alone; an nfse can be cancelled, with /reason")
		}
		return nil
	}
	in.Action = actionIssue
	if in.Recipient == nil {
		return misfit("/recipient", "is missing, which action issue needs")
	}
	in.Recipient.Document = taxpayer(in.Recipient.Document)
	if !taxpayerPattern.MatchString(in.Recipient.Document) {
		return misfit("/recipient/document", "is no CPF or CNPJ")
	}
	if len(in.Items) == 0 {
		return misfit("/items", "is missing, which action issue needs")
	}
	if err := in.reckon(); err != nil {
		return err
	}
	if in.Type == typeNFSe {
		return in.completeService()
	}
	return in.completeGoods()
}

// reckon works out what each item costs, and all together.
func (in *invoicing) reckon() error {
	sums, times := make([]json.Number, 0, len(in.Items)), make([]int64, 0, len(in.Items))
	for i := range in.Items {
		one, field := &in.Items[i], "/items/"+strconv.Itoa(i)
		if one.Quantity == "" {
			one.Quantity = "1"
		}
		quantity, err := one.Quantity.Int64()
		if err != nil {
			return misfit(field+"/quantity", "is no whole number")
		}
		if one.price, err = readMajor(field+"/unit_price", one.UnitPrice, brl); err != nil {
			return err
		}
		sum, err := total([]json.Number{one.price.major()}, []int64{quantity})
		if err != nil {
			return misfit(field, "cannot be reckoned")
		}
		if one.sum, err = readMajor(field, sum, brl); err != nil {
			return err
		}
		sums, times = append(sums, sum), append(times, 1)
	}
	all, err := total(sums, times)
	if err != nil {
		return misfit("/items", "cannot be added up")
	}
	in.total, err = readMajor("/items", all, brl)
	return err
}

func (in *invoicing) completeService() error {
	code := in.Items[0].ServiceCode
	for i, one := range in.Items {
		if one.ServiceCode == "" {
			return misfit("/items/"+strconv.Itoa(i)+"/service_code", "is missing, which an nfse needs")
		}
		if one.ServiceCode != code {
			return misfit("/items/"+strconv.Itoa(i)+"/service_code", "is another one than that of the first item: an nfse is of one service")
		}
	}
	return nil
}

func (in *invoicing) completeGoods() error {
	switch {
	case in.Recipient.Address == nil:
		return misfit("/recipient/address", "is missing, which an nfe needs")
	case len(in.Recipient.Document) != len("52998224725"):
		return misfit("/recipient/document", "is a company's, whose state registration goes into the document: use nuvem-fiscal__create_nfe")
	case in.PaymentMethod == "":
		return misfit("/payment_method", "is missing, which an nfe needs")
	case in.Number == "":
		return misfit("/number", "is missing, which an nfe needs")
	}
	if in.Series == "" {
		in.Series = "1"
	}
	for i, one := range in.Items {
		if one.NCM == "" || one.CFOP == "" {
			return misfit("/items/"+strconv.Itoa(i), "is missing ncm or cfop, which an nfe needs")
		}
	}
	return nil
}

// zero is an amount of nothing, as the tax office writes it.
func zero() json.Number { return json.Number(apd.New(0, -2).Text('f')) }
