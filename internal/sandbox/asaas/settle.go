package asaas

import (
	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// settle moves the money in.
func (p *payment) settle(c *call, status string) {
	paid := day(c.Now)
	p.Status, p.PaymentDate = status, &paid
	if status != statusInCash { // Cash never passes through Asaas.
		c.State.balance += p.Value
	}
	c.Effect("payment.received", p.ID, p.ExternalReference)
	name := "PAYMENT_RECEIVED"
	if status == statusConfirmed {
		name = "PAYMENT_CONFIRMED"
	}
	p.tell(c, name)
}

func receiveInCash(c *call) fake.Answer { return receive(c, statusInCash) }

func confirmPayment(c *call) fake.Answer { return receive(c, statusReceived) }

func receive(c *call, status string) fake.Answer {
	found, refusal := pending(c, "recebidas")
	if refusal != nil {
		return *refusal
	}
	found.settle(c, status)
	return fake.OK(found)
}

// payPix is what the app of the payer's bank does with a code.
func payPix(c *call) (fake.Answer, bool) {
	body, err := c.Object()
	if err != nil || !body.Has("payload") {
		return fake.Answer{}, false
	}
	found := c.State.payments.Newest(func(one *payment) bool {
		return one.BillingType != billingCard && one.pixCode() == body.Text("payload")
	})
	if len(found) == 0 {
		return fake.Answer{}, false
	}
	if found[0].Deleted || found[0].Status != statusPending {
		return invalid("invalid_action", "Esta cobrança não pode mais ser paga."), true
	}
	found[0].BillingType = billingPix
	found[0].settle(c, statusReceived)
	return fake.OK(fake.Map{"payment": found[0].ID, "value": found[0].Value, "status": found[0].Status}), true
}

func refundPayment(c *call) fake.Answer {
	found, ok := c.State.payments.Find(c.Path("id"))
	if !ok {
		return absent()
	}
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	if found.Status != statusReceived && found.Status != statusConfirmed {
		return invalid("invalid_action", "Somente é possível estornar cobranças recebidas ou confirmadas.")
	}
	value := found.Value - found.refunded
	if body.Has("value") {
		asked, ok := body.Cents("value")
		if !ok || asked <= 0 || asked > value {
			return invalid("invalid_value", "O valor do estorno deve ser positivo e no máximo o valor da cobrança.")
		}
		value = asked
	}
	if c.State.balance < value {
		return invalid("invalid_action", "Saldo insuficiente para o estorno.")
	}
	found.refunded += value
	c.State.balance -= value
	if found.refunded == found.Value {
		found.Status = statusRefunded
	}
	c.Effect("payment.refunded", found.ID, found.ExternalReference)
	name := "PAYMENT_PARTIALLY_REFUNDED"
	if found.Status == statusRefunded {
		name = "PAYMENT_REFUNDED"
	}
	found.tell(c, name)
	return fake.OK(found)
}

func balance(c *call) fake.Answer {
	return fake.OK(struct {
		Balance brazil.Cents `json:"balance"`
	}{c.State.balance})
}
