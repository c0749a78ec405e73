// Package correios is the sandbox's Brazilian post: tokens, prices, delivery
// times, postal codes, pre-posted parcels and their tracking, collections and
// returns.
//
// A token is fetched with the user, the access code and the number of the
// posting card; the card's number, not the user's, is what the body asks for.
// Tokens live for a day. Parcels travel by the clock: posted after a day, or when
// somebody posts them, on their way twelve hours later, and two days after the
// posting delivered, or returned where their note is DEVOLVER.
//
// Prices and times are made up, but follow from the codes and the weight
// alone. Nothing here has a key against sending twice, as at the real post.
package correios
