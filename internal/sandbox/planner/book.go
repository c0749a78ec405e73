package planner

// book lists every way that the planner knows to do something, the preferred
// one first.
func book() []recipe {
	var all []recipe
	for _, page := range [][]recipe{chargeRecipes(), shipRecipes(), invoiceRecipes(), notifyRecipes(), askRecipes(), refundRecipes()} {
		all = append(all, page...)
	}
	return all
}

// described is an object's description: the caller's number of the order.
func (d *desk) described() string {
	if d.order.reference == "" {
		return "Order"
	}
	return "Order " + d.order.reference
}

// put sets a field that says something.
func (o objectBuilder) put(name, text string) objectBuilder {
	if text != "" {
		o[name] = text
	}
	return o
}

// objectBuilder is an object in the making.
type objectBuilder object
