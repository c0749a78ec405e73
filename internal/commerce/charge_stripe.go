package commerce

import (
	"context"
	"strings"
)

func stripeStatuses() map[string]string {
	return map[string]string{
		"requires_payment_method": statusPending, "requires_confirmation": statusPending, "requires_action": statusPending,
		"processing": statusPending, "requires_capture": statusPending, "open": statusPending,
		"succeeded": statusSucceeded, "complete": statusSucceeded, "canceled": "cancelled", "expired": "cancelled",
	}
}

// chargeAtStripe creates the customer and a payment intent, or with a
// success_url a page on which the customer pays. Every step is keyed, so that
// the whole may be made again.
func (r *run) chargeAtStripe(ctx context.Context, in charging, made *charged) error {
	arguments := object{"name": in.Buyer.Name}.put("email", in.Buyer.Email)
	if phone := strings.TrimSpace(in.Buyer.Phone); phone != "" {
		arguments["phone"] = phone
	}
	if document := taxpayer(in.Buyer.Document); document != "" {
		arguments["metadata"] = object{"document": document}
	}
	customer, err := r.do(ctx, step{
		name: "create_customer", server: serverStripe, tool: "create_customer", arguments: arguments, did: created("customer"),
	})
	if err != nil {
		return err
	}
	next := intentAtStripe(in, customer.text("id"))
	if in.SuccessURL != "" {
		next = pageAtStripe(in, customer.text("id"))
	}
	answer, err := r.do(ctx, next)
	if err != nil {
		return err
	}
	made.ID, made.ChargeURL = answer.text("id"), answer.text("url")
	made.Status = normal(answer.text("status"), stripeStatuses())
	made.Raw = answer
	return nil
}

func intentAtStripe(in charging, customer string) step {
	arguments := object{
		"amount": in.money.minor, "currency": strings.ToLower(in.money.currency), "customer": customer, "description": in.Description,
		"payment_method_types": []string{in.Method},
	}
	return step{
		name: stepCreateIntent, server: serverStripe, tool: "create_payment_intent",
		arguments: arguments.put("receipt_email", in.Buyer.Email), did: created("payment intent"),
	}
}

func pageAtStripe(in charging, customer string) step {
	return step{
		name: stepCreatePage, server: serverStripe, tool: "create_checkout_session", did: created("checkout session"),
		arguments: object{
			"mode": "payment", "success_url": in.SuccessURL, "customer": customer, "payment_method_types": []string{in.Method},
			"line_items": []object{{"quantity": 1, "price_data": object{
				"currency": strings.ToLower(in.money.currency), "unit_amount": in.money.minor, "product_data": object{"name": in.Description},
			}}},
		},
	}
}
