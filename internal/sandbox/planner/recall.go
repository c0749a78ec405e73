package planner

import (
	"cmp"
	"slices"
)

// recall fills in what an order leaves out from what its caller said before. One
// that names somebody is an order of its own; one that names nobody, as "ship it
// and notify the customer", is of whoever was spoken of last.
func (o order) recall(said []string) order {
	if o.names() || !slices.ContainsFunc(o.intents, intent.deals) {
		return o
	}
	for _, text := range slices.Backward(said) {
		earlier := readOrder(text)
		if !earlier.names() {
			continue
		}
		o.name, o.taxpayer, o.email, o.phone = earlier.name, earlier.taxpayer, earlier.email, earlier.phone
		o.from, o.to = cmp.Or(o.from, earlier.from), cmp.Or(o.to, earlier.to)
		o.reference = cmp.Or(o.reference, earlier.reference)
		if o.grams == defaultGrams {
			o.grams = earlier.grams
		}
		// What somebody owes is never taken from an old order.
		if !slices.Contains(o.intents, intentCharge) && !slices.Contains(o.intents, intentRefund) {
			o.amount = cmp.Or(o.amount, earlier.amount)
		}
		return o
	}
	return o
}

// names reports whether the order says of whom it is.
func (o order) names() bool {
	return o.name != "" || o.taxpayer != "" || o.email != "" || o.phone != "" || o.to != ""
}

// deals reports whether an intent is something that is done for a customer.
func (i intent) deals() bool {
	return i == intentCharge || i == intentShip || i == intentInvoice || i == intentNotify
}
