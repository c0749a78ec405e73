package commerce

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
)

// productsAtMelhorEnvio are the items in kilograms and reais.
func (in shipping) productsAtMelhorEnvio() ([]object, error) {
	products := make([]object, 0, len(in.Items))
	for i, one := range in.Items {
		kilograms, err := shifted(one.Weight, -3)
		if err != nil {
			return nil, misfit("/items/"+strconv.Itoa(i)+"/weight_g", "is no number")
		}
		product := object{
			"id": strconv.Itoa(i + 1), "name": one.Description, "quantity": one.Quantity, "weight": kilograms,
			"length": one.Length, "width": one.Width, "height": one.Height,
		}
		if one.DeclaredValue != "" {
			product["insurance_value"], product["unitary_value"] = one.DeclaredValue, one.DeclaredValue
		}
		products = append(products, product)
	}
	return products, nil
}

// contentsAtMelhorEnvio are the items as a label declares them; how large and
// heavy the parcel is stands in its volumes.
func (in shipping) contentsAtMelhorEnvio() []object {
	contents := make([]object, 0, len(in.Items))
	for _, one := range in.Items {
		content := object{"name": one.Description, "quantity": one.Quantity}
		if one.DeclaredValue != "" {
			content["unitary_value"] = one.DeclaredValue
		}
		contents = append(contents, content)
	}
	return contents
}

func (r *run) quotesAtMelhorEnvio(ctx context.Context, in shipping) ([]offer, object, error) {
	products, err := in.productsAtMelhorEnvio()
	if err != nil {
		return nil, nil, err
	}
	answer, err := r.do(ctx, step{
		name: "calculate_shipping", server: serverMelhorEnvio, tool: "calculate_shipping",
		arguments: object{
			"from": object{"postal_code": in.Origin.PostalCode}, "to": object{"postal_code": in.Destination.PostalCode}, "products": products,
		},
	})
	if err != nil {
		return nil, nil, err
	}
	var offers []offer
	for _, one := range answer.objects(listKey) {
		cents, priced := centsOf(one.text("price"))
		if !priced || one.text("error") != "" {
			continue // a carrier that does not go there
		}
		days, _ := strconv.ParseInt(one.text("delivery_time"), 10, 32)
		offers = append(offers, offer{id: one.text("id"), carrier: one.object("company").text("name"), cents: cents, days: days})
	}
	return offers, object{"quotes": answer[listKey]}, nil
}

func (r *run) quoteAtMelhorEnvio(ctx context.Context, in shipping) (shipped, error) {
	offers, raw, err := r.quotesAtMelhorEnvio(ctx, in)
	if err != nil {
		return shipped{}, err
	}
	best, ok := in.best(offers)
	if !ok {
		return shipped{}, noOffer(serverMelhorEnvio)
	}
	made := shipped{ID: best.id, Status: "quoted", Raw: raw}
	best.tell(&made, r.market.today())
	return made, nil
}

// labelAtMelhorEnvio puts the shipment into the cart, pays for it, has its label
// made and asks where that is. Neither the first two can be made again, and the
// payment leaves no key; but a shipment says whether it is paid.
func (r *run) labelAtMelhorEnvio(ctx context.Context, in shipping) (shipped, error) {
	made := shipped{Carrier: "Melhor Envio"}
	id, err := r.cartAtMelhorEnvio(ctx, in, &made)
	if err != nil {
		return shipped{}, err
	}
	made.ID = id
	if err := r.payForLabel(ctx, id); err != nil {
		return shipped{}, err
	}
	if _, err := r.do(ctx, step{
		name: "generate_label", server: serverMelhorEnvio, tool: "generate_label", arguments: object{"orders": []string{id}},
		did:   func(object) string { return "the label of shipment " + id + " was generated" },
		proof: r.shipmentIs(id, "generated", "posted", "delivered", "received"),
	}); err != nil {
		return shipped{}, err
	}
	r.tellLabel(ctx, &made)
	return made, nil
}

func (r *run) cartAtMelhorEnvio(ctx context.Context, in shipping, made *shipped) (string, error) {
	box, err := in.parcel()
	if err != nil {
		return "", err
	}
	kilograms, err := shifted(box.grams, -3)
	if err != nil {
		return "", misfit("/items", "have weights that cannot be added up")
	}
	cart := step{
		name: stepCreateShipment, server: serverMelhorEnvio, tool: "create_shipment", did: created("shipment"),
		arguments: object{
			"service": 1, "from": in.Origin.atMelhorEnvio(), "to": in.Destination.atMelhorEnvio(), "products": in.contentsAtMelhorEnvio(),
			"volumes": []object{{"height": box.height, "width": box.width, "length": box.length, "weight": kilograms}},
		},
	}
	cart.proof = r.tagged(stepKey(r.call.Key, cart.name))
	answer, recalled, err := r.recall(ctx, cart)
	if err == nil && !recalled {
		var offers []offer
		if offers, _, err = r.quotesAtMelhorEnvio(ctx, in); err != nil {
			return "", err
		}
		best, ok := in.best(offers)
		if !ok {
			return "", noOffer(serverMelhorEnvio)
		}
		best.tell(made, r.market.today())
		cart.arguments["service"] = json.Number(best.id)
		answer, err = r.do(ctx, cart)
	}
	if err != nil {
		return "", err
	}
	if cents, ok := centsOf(answer.text("price")); ok {
		made.CostMinor = &cents
	}
	return answer.text("id"), nil
}

func (r *run) payForLabel(ctx context.Context, id string) error {
	_, err := r.do(ctx, step{
		name: "checkout_cart", server: serverMelhorEnvio, tool: "checkout_cart", arguments: object{"orders": []string{id}},
		did:   func(object) string { return "shipment " + id + " was paid from the wallet" },
		proof: r.shipmentIs(id, "released", "generated", "posted", "delivered", "received"),
	})
	return err
}

// shipmentIs looks whether a shipment has got to one of these states.
func (r *run) shipmentIs(id string, states ...string) func(context.Context) (object, bool) {
	return func(ctx context.Context) (object, bool) {
		answer, err := r.do(ctx, step{
			name: "look at " + id, server: serverMelhorEnvio, tool: "get_shipment", arguments: object{"id": id},
		})
		return answer, err == nil && answer.text("id") == id && slices.Contains(states, answer.text("status"))
	}
}

// tagged finds the one shipment among the latest that carries a key: one that
// is paid has left the cart, where it is looked up.
func (r *run) tagged(key string) func(context.Context) (object, bool) {
	return func(ctx context.Context) (object, bool) {
		answer, err := r.do(ctx, step{
			name: "find by tag", server: serverMelhorEnvio, tool: "list_shipments", arguments: object{"limit": 50},
		})
		if err != nil {
			return nil, false
		}
		var found []object
		for _, one := range answer.objects("data") {
			if tags := one.objects("tags"); len(tags) > 0 && tags[0].text("tag") == key {
				found = append(found, one)
			}
		}
		if len(found) != 1 {
			return nil, false
		}
		return found[0], true
	}
}

// tellLabel reads where the label is and its code. It is bought with or without.
func (r *run) tellLabel(ctx context.Context, made *shipped) {
	raw := object{}
	if link, err := r.do(ctx, step{
		name: "print_label", server: serverMelhorEnvio, tool: "print_label", arguments: object{"orders": []string{made.ID}},
	}); err == nil {
		made.LabelURL = link.text("url")
	}
	made.Status = "paid"
	if now, err := r.do(ctx, step{
		name: "get_shipment", server: serverMelhorEnvio, tool: "get_shipment", arguments: object{"id": made.ID},
	}); err == nil {
		made.Status, made.TrackingCode = melhorEnvioStatus(now.text("status")), now.text("tracking")
		raw["shipment"] = now
	}
	made.Raw = raw
}

func melhorEnvioStatus(word string) string {
	return normal(word, map[string]string{"pending": "created", "released": "paid", "generated": "label_ready", "canceled": "cancelled"})
}

func (a *address) atMelhorEnvio() object {
	who := object{
		"name": a.Name, "address": a.Line1, "number": a.Number, "city": a.City, "state_abbr": a.State, "country_id": "BR", "postal_code": a.PostalCode,
	}
	document := "document"
	if len(a.Document) > len("52998224725") {
		document = "company_document"
	}
	return who.put(document, a.Document).put("district", a.District).put("complement", a.Complement).put("email", a.Email).put("phone", a.Phone)
}

var shipmentID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// trackAtMelhorEnvio tracks by the id of the shipment, or finds it by its code.
func (r *run) trackAtMelhorEnvio(ctx context.Context, code string) (shipped, error) {
	id := code
	if !shipmentID.MatchString(code) {
		find := step{name: "find by code", server: serverMelhorEnvio, tool: "list_shipments", arguments: object{"limit": 50}}
		answer, err := r.do(ctx, find)
		if err != nil {
			return shipped{}, err
		}
		at := slices.IndexFunc(answer.objects("data"), func(one object) bool { return one.text("tracking") == code })
		if at < 0 {
			return shipped{}, r.failed(find, "none of the latest shipments has that code; try the id of the shipment")
		}
		id = answer.objects("data")[at].text("id")
	}
	answer, err := r.do(ctx, step{name: "track_shipment", server: serverMelhorEnvio, tool: "track_shipment", arguments: object{"id": id}})
	if err != nil {
		return shipped{}, err
	}
	found := answer.object(id)
	return shipped{
		ID: id, Status: melhorEnvioStatus(found.text("status")), TrackingCode: found.text("tracking"), Carrier: "Melhor Envio", Raw: found,
	}, nil
}
