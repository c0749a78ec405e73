// Package commerce is one vocabulary over whatever mix of providers a tenant
// has: charge, pay, invoice, ship and notify, each a recipe of the providers'
// own tools, and list_tools, discover and manage_connections to find one's way.
//
//	codespar_charge ─► route ─┬─► asaas:   find or create customer ─► create payment ─► read its code
//	                          └─► stripe:  create customer ─► create payment intent, or a page to pay on
//
// It wraps a catalogue and a provider and is both itself: calls of
// [agent.OwnServer] are its own, all others it passes on.
//
// # What it promises
//
// Every step of a recipe is a call of its own, held against the same walls: a
// server within the session's reach, a tool that is there, the session's
// environment, arguments that fit. Its key is a hash of the whole call's key and
// the step's name, so every try of the whole makes the same steps.
//
// The five that do commerce are of class keyed towards the loop, which means
// that the whole may be called again with its key. That is true though hardly
// any provider honours keys, because a recipe in doubt (Call.InDoubt) does not
// make its steps again as if nothing were: a step that is repeatable is
// repeated, and one that is not is looked up first of all, before anything that
// its arguments were worked out from is asked for again. What is found is gone
// on from; what is proven absent ends the call as an error without an effect;
// what cannot be known ends it as unknown, naming the step. No step that is not
// repeatable is ever sent a second time, not even after its absence is proven:
// the first may still be on its way.
//
//	recipe                  steps with an effect            in doubt
//	charge, asaas           create_customer, create_payment looked up by externalReference
//	charge, stripe          all keyed                       made again with their keys
//	pay, asaas              create_transfer                 found in the list, or unknown
//	ship, correios          create_prepost                  found in the list, or unknown
//	ship, melhor-envio      create_shipment                 found in the cart or by its tag, or unknown
//	                        checkout_cart                   the shipment says that it is paid, or unknown
//	                        generate_label                  made again, or the shipment says so
//	invoice, nuvem-fiscal   create_nfse, create_nfe         found by referencia, or unknown
//	                        send_correction_letter_nfe      unknown
//	                        cancel_*                        made again, or the document says so
//	notify, z-api           send_text                       unknown
//
// A step that fails after another one had its effect says what was done by then.
//
// # Units
//
// charge takes MAJOR units and pay takes MINOR ones, as the protocol has it.
// Every description and error says so. Amounts are decimals or whole numbers of
// minor units, never floats; one amount is at most 99 999 999 minor units.
//
// # What it does not do
//
// It does no I/O and keeps nothing. Which server a call goes to follows from the
// session's own servers and routes, which stand in its log: a call in doubt goes
// to the same one, or nowhere where the tenant has lost it. Asaas's tools here
// cannot pay a Pix code, nor Stripe's show one without a page.
package commerce
