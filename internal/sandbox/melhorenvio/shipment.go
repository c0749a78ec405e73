package melhorenvio

import (
	"net/http"
	"slices"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// labels is where a real label would be looked at.
const labels = "https://sandbox.melhorenvio.com.br/imprimir/"

// named finds the orders that a body lists, all of which must be in one of the
// statuses.
func named(c *call, statuses ...string) ([]*order, *fake.Answer) {
	body, err := c.Object()
	if err != nil {
		answer := unreadable()
		return nil, &answer
	}
	ids := body.Texts("orders")
	if len(ids) == 0 {
		return nil, invalid("orders")
	}
	slices.Sort(ids)
	var orders []*order
	for _, id := range slices.Compact(ids) {
		found, ok := find(c, id)
		if !ok {
			answer := absent()
			return nil, &answer
		}
		if len(statuses) > 0 && !slices.Contains(statuses, found.Status) {
			answer := refuse(http.StatusUnprocessableEntity, "A etiqueta "+id+" não permite a operação na situação "+found.Status+".")
			return nil, &answer
		}
		orders = append(orders, found)
	}
	return orders, nil
}

// checkout pays from the wallet, all orders or none.
func checkout(c *call) fake.Answer {
	orders, refusal := named(c, statusPending)
	if refusal != nil {
		return *refusal
	}
	var total brazil.Cents
	for _, one := range orders {
		total += one.Price
	}
	if total > c.State.balance {
		return refuse(http.StatusUnprocessableEntity, "Saldo insuficiente na carteira: R$ "+c.State.balance.Comma())
	}
	c.State.balance -= total
	paid := stamp(c.Now)
	for _, one := range orders {
		one.Status, one.PaidAt = statusReleased, &paid
		c.Effect("order.paid", one.ID, one.reference())
		one.tell(c, "order.released")
	}
	return fake.OK(fake.Map{"purchase": fake.Map{
		"id": c.UUID("purchase"), "protocol": "PUR-" + c.Now.Format("200601") + c.Token("", fake.Decimal, 8), "total": total,
		"status": "paid", "paid_at": paid, "orders": orders,
	}})
}

func generate(c *call) fake.Answer {
	orders, refusal := named(c, statusReleased)
	if refusal != nil {
		return *refusal
	}
	body := fake.Map{"generate_key": c.UUID("generate")}
	for _, one := range orders {
		at, code := stamp(c.Now), brazil.ParcelLabel("ME", c.Token("", fake.Decimal, 8))
		one.Status, one.GeneratedAt, one.Tracking, one.generated = statusGenerated, &at, &code, c.Now
		body[one.ID] = fake.Map{"message": "Envio gerado com sucesso", "status": true}
		c.Effect("label.generated", one.ID, one.reference())
		one.tell(c, "order.generated")
	}
	return fake.OK(body)
}

func printLabel(c *call) fake.Answer {
	if _, refusal := named(c, statusGenerated, statusPosted, statusDelivered); refusal != nil {
		return *refusal
	}
	return fake.OK(fake.Map{"url": labels + c.Token("", fake.Base62, 12)})
}

func preview(c *call) fake.Answer {
	if _, refusal := named(c); refusal != nil {
		return *refusal
	}
	return fake.OK(fake.Map{"url": labels + "preview/" + c.Token("", fake.Base62, 12)})
}

func tracking(c *call) fake.Answer {
	orders, refusal := named(c)
	if refusal != nil {
		return *refusal
	}
	body := fake.Map{}
	for _, one := range orders {
		body[one.ID] = fake.Map{
			"id": one.ID, "protocol": one.Protocol, "status": one.Status, "tracking": one.Tracking, "created_at": one.CreatedAt, "paid_at": one.PaidAt,
			"generated_at": one.GeneratedAt, "posted_at": one.PostedAt, "delivered_at": one.DeliveredAt, "canceled_at": one.CanceledAt,
		}
	}
	return fake.OK(body)
}

// cancel gives the money back for what has not been posted.
func cancel(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	asked := body.Object("order")
	if !asked.Has("id") {
		return *invalid("order.id")
	}
	found, ok := find(c, asked.Text("id"))
	if !ok {
		return absent()
	}
	if found.Status != statusReleased && found.Status != statusGenerated {
		return refuse(http.StatusUnprocessableEntity, "A etiqueta não pode ser cancelada na situação "+found.Status+".")
	}
	at := stamp(c.Now)
	found.Status, found.CanceledAt = statusCanceled, &at
	c.State.balance += found.Price
	c.Effect("order.canceled", found.ID, found.reference())
	found.tell(c, "order.cancelled")
	return fake.OK(fake.Map{found.ID: fake.Map{"canceled": true, "time": at}})
}
