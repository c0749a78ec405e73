package asaas

import (
	"net/url"
	"slices"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Statuses of a payment.
const (
	statusPending   = "PENDING"
	statusConfirmed = "CONFIRMED"
	statusReceived  = "RECEIVED"
	statusInCash    = "RECEIVED_IN_CASH"
	statusRefunded  = "REFUNDED"
)

// Billing types.
const (
	billingPix    = "PIX"
	billingBoleto = "BOLETO"
	billingCard   = "CREDIT_CARD"
	billingOpen   = "UNDEFINED"
)

type payment struct {
	Object            string       `json:"object"`
	ID                string       `json:"id"`
	DateCreated       string       `json:"dateCreated"`
	Customer          string       `json:"customer"`
	Value             brazil.Cents `json:"value"`
	NetValue          brazil.Cents `json:"netValue"`
	BillingType       string       `json:"billingType"`
	Status            string       `json:"status"`
	DueDate           string       `json:"dueDate"`
	Description       string       `json:"description,omitempty"`
	ExternalReference string       `json:"externalReference,omitempty"`
	InvoiceURL        string       `json:"invoiceUrl"`
	InvoiceNumber     string       `json:"invoiceNumber"`
	PaymentDate       *string      `json:"paymentDate"`
	Installment       string       `json:"installment,omitempty"`
	InstallmentNumber int          `json:"installmentNumber,omitempty"`
	Subscription      string       `json:"subscription,omitempty"`
	Deleted           bool         `json:"deleted"`

	refunded brazil.Cents
}

func createPayment(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	if refusal := checkPayment(c, body); refusal != nil {
		return *refusal
	}
	value, _ := body.Cents("value")
	if body.Has("installmentCount") {
		return createInstallments(c, body)
	}
	made := newPayment(c, body, value)
	c.State.payments.Put(made.ID, made)
	c.Effect("payment.created", made.ID, made.ExternalReference)
	made.tell(c, "PAYMENT_CREATED")
	if made.BillingType == billingCard && (body.Has("creditCardToken") || body.Has("creditCard")) {
		made.settle(c, statusConfirmed)
	}
	return fake.OK(made)
}

// newPayment reads a payment that has been checked.
func newPayment(c *call, body fake.Object, value brazil.Cents) *payment {
	made := &payment{
		Object: "payment", ID: c.Token("pay_", fake.Lower36, 16), DateCreated: day(c.Now), Customer: body.Text("customer"),
		Value: value, NetValue: value, BillingType: body.Text("billingType"), Status: statusPending, DueDate: body.Text("dueDate"),
		Description: body.Text("description"), ExternalReference: body.Text("externalReference"), InvoiceNumber: c.Token("", fake.Decimal, 8),
	}
	made.InvoiceURL = "https://sandbox.asaas.com/i/" + made.ID[len("pay_"):]
	return made
}

func checkPayment(c *call, body fake.Object) *fake.Answer {
	refusal := func(code, text string) *fake.Answer {
		answer := invalid(code, text)
		return &answer
	}
	if _, ok := c.State.customers.Find(body.Text("customer")); !ok {
		return refusal("invalid_customer", "Customer inválido ou não informado.")
	}
	if !slices.Contains([]string{billingPix, billingBoleto, billingCard, billingOpen}, body.Text("billingType")) {
		return refusal("invalid_billingType", "O campo billingType deve ser informado.")
	}
	if value, ok := body.Cents("value"); !ok || value <= 0 {
		return refusal("invalid_value", "O valor da cobrança deve ser informado e maior que zero.")
	}
	return checkDue(c, body.Text("dueDate"))
}

func checkDue(c *call, due string) *fake.Answer {
	var answer fake.Answer
	switch _, err := time.Parse(time.DateOnly, due); {
	case err != nil:
		answer = invalid("invalid_dueDate", "O campo dueDate deve ser informado como YYYY-MM-DD.")
	case due < day(c.Now):
		answer = invalid("invalid_dueDate", "Não é permitido data de vencimento inferior a hoje.")
	default:
		return nil
	}
	return &answer
}

func getPayment(c *call) fake.Answer {
	found, ok := c.State.payments.Find(c.Path("id"))
	if !ok {
		return absent()
	}
	return fake.OK(found)
}

func listPayments(c *call) fake.Answer {
	query := c.Query()
	return listed(c, c.State.payments.Newest(func(one *payment) bool {
		return !one.Deleted && between(query, "dateCreated", one.DateCreated) && between(query, "paymentDate", one.paid()) && agree(query.Get("customer"), one.Customer) && agree(query.Get("status"), one.Status) &&
			agree(query.Get("billingType"), one.BillingType) && agree(query.Get("externalReference"), one.ExternalReference)
	}))
}

// paid is the day of the payment; empty before.
func (p *payment) paid() string {
	if p.PaymentDate == nil {
		return ""
	}
	return *p.PaymentDate
}

// between reports whether a day keeps the bounds that a query gives it.
func between(query url.Values, name, day string) bool {
	from, to := query.Get(name+"[ge]"), query.Get(name+"[le]")
	return (from == "" || day >= from) && (to == "" || day != "" && day <= to)
}

func updatePayment(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	found, refusal := pending(c, "alteradas")
	if refusal != nil {
		return *refusal
	}
	if body.Has("dueDate") {
		if refusal := checkDue(c, body.Text("dueDate")); refusal != nil {
			return *refusal
		}
	}
	before := *found
	if value, ok := body.Cents("value"); ok && value > 0 {
		found.Value, found.NetValue = value, value
	} else if body.Has("value") {
		return invalid("invalid_value", "O valor da cobrança deve ser maior que zero.")
	}
	if body.Has("dueDate") {
		found.DueDate = body.Text("dueDate")
	}
	if body.Has("description") {
		found.Description = body.Text("description")
	}
	if *found != before { // What is so already is no effect.
		c.Effect("payment.updated", found.ID, found.ExternalReference)
		found.tell(c, "PAYMENT_UPDATED")
	}
	return fake.OK(found)
}

func deletePayment(c *call) fake.Answer {
	found, refusal := pending(c, "removidas")
	if refusal != nil {
		return *refusal
	}
	found.Deleted = true
	c.Effect("payment.deleted", found.ID, found.ExternalReference)
	found.tell(c, "PAYMENT_DELETED")
	return fake.OK(fake.Map{"deleted": true, "id": found.ID})
}

// pending finds a payment that nobody has paid.
func pending(c *call, verb string) (*payment, *fake.Answer) {
	found, ok := c.State.payments.Find(c.Path("id"))
	answer := absent()
	switch {
	case !ok:
	case found.Deleted || found.Status != statusPending:
		answer = invalid("invalid_action", "Apenas cobranças pendentes podem ser "+verb+".")
	default:
		return found, nil
	}
	return nil, &answer
}

func day(t time.Time) string { return t.Format(time.DateOnly) }
