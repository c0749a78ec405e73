// Package asaas is the sandbox's Asaas: customers, payments by Pix, slip and
// card, in instalments or by subscription, refunds, transfers, subaccounts,
// webhooks and the balance. Values are decimals of reais.
//
// What happens is told to the webhooks of the account, each in order, with the
// token that was set for it. An answer other than 200 is a refusal: after fifteen
// in a row the queue is interrupted, and PUT /webhooks/{id} with interrupted
// false lets it go on. All events are listed at /webhook/events, too.
//
// A card payment with a token is confirmed at once. The others wait until
// somebody pays: with POST /payments/{id}/receiveInCash or, as in Asaas's own
// sandbox, POST /sandbox/payment/{id}/confirm, as the account; or, as whoever has
// the Pix text alone, with POST /_sandbox/asaas/pix and {"payload": text}.
//
// There is no key against sending twice. The field externalReference is kept
// and can be searched for, which is how a caller in doubt finds out. The QR
// image is a pattern, not to be scanned; the Pix text and the slip's digits
// have their real check digits.
package asaas
