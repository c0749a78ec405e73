package planner

import "time"

// dueDays is how long a customer has to pay.
const dueDays = 3

func needsAmount(d *desk) string {
	if d.order.amount <= 0 {
		return "the amount, such as R$ 150,00"
	}
	return ""
}

func chargeRecipes() []recipe {
	return []recipe{
		{intent: intentCharge, words: []string{"pix", "boleto", "asaas"}, needs: needsAmount, stages: [][]step{
			{{tool: "asaas__create_customer", arguments: asaasCustomer}},
			{{tool: "asaas__create_payment", arguments: asaasPayment}},
			{
				{tool: "asaas__get_pix_qrcode", optional: true, arguments: asaasCode(billingPix)},
				{tool: "asaas__get_boleto", optional: true, arguments: asaasCode(billingBoleto)},
			},
		}},
		{intent: intentCharge, words: []string{"card", "cartão", "stripe"}, needs: needsAmount, stages: [][]step{
			{{tool: "stripe__create_customer", arguments: stripeCustomer}},
			{{tool: "stripe__create_payment_intent", arguments: stripeIntent}},
		}},
	}
}

func asaasCustomer(d *desk) object {
	p := d.recipient()
	o := objectBuilder{"name": p.name, "cpfCnpj": p.taxpayer}
	return object(o.put("email", p.email).put("phone", p.phone))
}

// Billing types of Asaas.
const (
	billingPix    = "PIX"
	billingBoleto = "BOLETO"
)

func billing(d *desk) string {
	if d.says("boleto") {
		return billingBoleto
	}
	return billingPix
}

func asaasPayment(d *desk) object {
	customer := d.id("asaas__create_customer")
	if customer == "" {
		return nil
	}
	// No externalReference: whoever sends the call may want to leave its key there.
	return object{
		"customer": customer, "billingType": billing(d), "value": d.order.amount,
		"dueDate": d.turn.Today.AddDate(0, 0, dueDays).Format(time.DateOnly), "description": d.described(),
	}
}

func asaasCode(kind string) func(d *desk) object {
	return func(d *desk) object {
		id := d.id("asaas__create_payment")
		if id == "" || billing(d) != kind {
			return nil
		}
		return object{"id": id}
	}
}

func stripeCustomer(d *desk) object {
	p := d.recipient()
	o := objectBuilder{"name": p.name}
	return object(o.put("email", p.email).put("phone", p.phone))
}

func stripeIntent(d *desk) object {
	customer := d.id("stripe__create_customer")
	if customer == "" {
		return nil
	}
	o := objectBuilder{"amount": int64(d.order.amount), "currency": "brl", "customer": customer, "description": d.described()}
	if d.order.reference != "" {
		o["metadata"] = object{"reference": d.order.reference}
	}
	return object(o.put("receipt_email", d.order.email))
}

func refundRecipes() []recipe {
	return []recipe{
		{
			intent: intentRefund, words: []string{"pay_"}, needs: needsMention("pay_...", func(d *desk) string { return d.mention(paymentID) }),
			stages: [][]step{{{tool: "asaas__refund_payment", arguments: func(d *desk) object {
				o := object{"id": d.mention(paymentID)}
				if d.order.amount > 0 {
					o["value"] = d.order.amount
				}
				return o
			}}}},
		},
		{
			intent: intentRefund, words: []string{"pi_"}, needs: needsMention("pi_...", func(d *desk) string { return d.mention(intentID) }),
			stages: [][]step{{{tool: "stripe__create_refund", arguments: func(d *desk) object {
				o := object{"payment_intent": d.mention(intentID)}
				if d.order.amount > 0 {
					o["amount"] = int64(d.order.amount)
				}
				return o
			}}}},
		},
	}
}

// needsMention asks for an id that is to be found in the conversation.
func needsMention(form string, find func(d *desk) string) func(d *desk) string {
	return func(d *desk) string {
		if find(d) == "" {
			return "an id, such as " + form
		}
		return ""
	}
}
