// Package melhorenvio is the sandbox's Melhor Envio: quotes, the cart, the
// checkout that pays from a wallet, labels and tracking, agencies, and one store
// for each account with its addresses.
//
// An order goes pending, released (paid), generated, and travels by the clock
// from there: posted after a day, delivered after three. A new account's wallet
// holds R$ 1.000,00; a checkout that it cannot pay is refused as a whole.
// Putting the same things into the cart twice makes two orders; the tags in
// options are kept and can be searched for.
//
// What becomes of an order is told to the webhooks that were set on the
// application's page, signed with its secret; there is no call to set them. A
// carrier takes in or hands over a parcel before its time with POST
// /_sandbox/melhor-envio/parcels/{code} and {"status": "posted"} or "delivered".
//
// Tokens are renewed and accounts connected by OAuth 2, as there: access tokens
// end after 30 days, refresh tokens and codes are good once, and each exchange is
// an effect in the journal.
//
// Missing fields are answered with 422 and Laravel's list of errors, as there.
package melhorenvio
