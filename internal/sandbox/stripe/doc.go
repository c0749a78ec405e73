// Package stripe is the sandbox's Stripe: customers, the catalogue, payments,
// disputes, subscriptions, invoices and checkout, spoken to in forms as
// api.stripe.com is.
//
// It promises Stripe's own care of the Idempotency-Key: the same key with the
// same request is answered as the first time, with the header
// Idempotent-Replayed, and without a second effect; the same key with another
// request is refused. It refuses parameters that a route does not know.
//
// The payment method pm_card_chargeDeclined is declined, and what is paid with
// pm_card_createDispute is disputed at once; any other is good. A subscription
// makes one invoice when it begins; an invoice that is made for one bills its
// items once more, and any other bills nothing. No period ever ends.
//
// What happens is told to the account's webhook endpoints, signed, and listed at
// /events. A customer pays a checkout session with POST /_sandbox/stripe/checkout/{id}.
package stripe
