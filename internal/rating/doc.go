// Package rating is what usage costs: rate cards, and bills made by them.
//
// It owns the rate card ([Parse]), which version is in force ([Cards]), and
// rating ([Rate]). A card prices by the unit, by tiers, or by a percentage of
// each event's amount; a card of kind cost says with the same words what the
// providers and models charge us.
//
// It promises that rating is a pure function: the same card and the same usage,
// in any order, give the same bill to the byte. Prices and products are exact;
// an amount is rounded once, on its line, half to even, and the residue is kept
// beside it. Usage that no price takes is named, never dropped.
//
//	usage.Totals, usage.Charges ──Rate(card)──► Bill
//
// It does no I/O, keeps no accounts and issues nothing; that is package invoice.
package rating

import "errors"

// Sentinels.
var (
	// ErrInvalidCard occurs when a rate card breaks its schema or a rule; the
	// text names the place.
	ErrInvalidCard = errors.New("invalid rate card")
	// ErrNoCard occurs when no rate card is in force at the moment asked for.
	ErrNoCard = errors.New("no rate card in force")
	// ErrChargesMissing occurs when a card has a price by percentage and the
	// usage has not each event.
	ErrChargesMissing = errors.New("the usage has not each event")
)
