// Package stripe is the sandbox's Stripe: customers, payment intents, refunds
// and the balance, spoken to in forms as api.stripe.com is.
//
// It promises Stripe's own care of the Idempotency-Key: the same key with the
// same request is answered as the first time, with the header
// Idempotent-Replayed, and without a second effect; the same key with another
// request is refused. It refuses parameters that a route does not know.
//
// The payment method pm_card_chargeDeclined is declined; any other is good.
package stripe
