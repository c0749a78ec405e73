// Package asaas is the sandbox's Asaas: customers, payments by Pix, slip and
// card, in instalments or by subscription, refunds, transfers, subaccounts,
// webhooks and the balance. Values are decimals of reais. Webhooks are kept and
// never called; get their events from /webhook/events.
//
// A card payment with a token is confirmed at once. The others wait until
// somebody pays, which a test does with POST /payments/{id}/receiveInCash or,
// as in Asaas's own sandbox, POST /sandbox/payment/{id}/confirm.
//
// There is no key against sending twice. The field externalReference is kept
// and can be searched for, which is how a caller in doubt finds out. The QR
// image is a pattern, not to be scanned; the Pix text and the slip's digits
// have their real check digits.
package asaas
