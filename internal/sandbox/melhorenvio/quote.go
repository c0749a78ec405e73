package melhorenvio

import (
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// service is a carrier's way to send a parcel.
type service struct {
	ID      int     `json:"id"`
	Name    string  `json:"name"`
	Company company `json:"company"`
	base    brazil.Cents
	step    brazil.Cents // for each kilogram and each zone
	days    int
}

type company struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

func services() []service {
	return []service{
		{ID: 1, Name: "PAC", Company: company{1, "Correios"}, base: 1490, step: 320, days: 5},
		{ID: 2, Name: "SEDEX", Company: company{1, "Correios"}, base: 2190, step: 580, days: 1},
		{ID: 3, Name: ".Package", Company: company{2, "Jadlog"}, base: 1390, step: 350, days: 4},
		{ID: 4, Name: ".Com", Company: company{2, "Jadlog"}, base: 1890, step: 470, days: 2},
	}
}

func serviceOf(id string) (service, bool) {
	for _, one := range services() {
		if strconv.Itoa(one.ID) == id {
			return one, true
		}
	}
	return service{}, false
}

func listServices(*call) fake.Answer { return fake.OK(services()) }

func calculate(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	from, to := body.Object("from").Text("postal_code"), body.Object("to").Text("postal_code")
	if refusal := checkRoute(from, to); refusal != nil {
		return *refusal
	}
	if !body.Has("products") && !body.Has("package") {
		return *invalid("products")
	}
	kilograms, refusal := weight(body)
	if refusal != nil {
		return *refusal
	}
	quotes := []fake.Map{}
	for _, one := range services() {
		price, days := one.quote(from, to, kilograms)
		quotes = append(quotes, fake.Map{
			"id": one.ID, "name": one.Name, "company": one.Company, "currency": "R$", "price": price.String(), "custom_price": price.String(),
			"discount": "0.00", "delivery_time": days, "delivery_range": fake.Map{"min": days, "max": days + 2},
		})
	}
	return fake.OK(quotes)
}

func (s service) quote(from, to string, kilograms int) (price brazil.Cents, days int) {
	zones := brazil.Distance(brazil.Digits(from), brazil.Digits(to))
	return s.base + s.step*brazil.Cents(kilograms+zones), s.days + zones
}

func checkRoute(from, to string) *fake.Answer {
	if _, ok := brazil.FindPlace(from); !ok {
		return invalid("from.postal_code")
	}
	if _, ok := brazil.FindPlace(to); !ok {
		return invalid("to.postal_code")
	}
	return nil
}

// maxKilograms is what no carrier takes more of.
const maxKilograms = 100

// weight adds up what is to be sent, in started kilograms. Weights are decimals
// of kilograms; one kilogram is taken for a product that does not say.
func weight(body fake.Object) (int, *fake.Answer) {
	parts := append(body.Objects("products"), body.Objects("volumes")...)
	if single := body.Object("package"); len(single) > 0 {
		parts = append(parts, single)
	}
	total := 0.0
	for i, part := range parts {
		if !part.Has("weight") {
			continue
		}
		kilograms, err := strconv.ParseFloat(part.Text("weight"), 64)
		if err != nil || !(kilograms > 0 && kilograms <= maxKilograms) {
			return 0, invalid("products." + strconv.Itoa(i) + ".weight")
		}
		total += kilograms
	}
	return int(total) + 1, nil
}
