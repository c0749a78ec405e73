package melhorenvio

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Statuses of an order.
const (
	statusPending   = "pending"
	statusReleased  = "released"
	statusGenerated = "generated"
	statusPosted    = "posted"
	statusDelivered = "delivered"
	statusCanceled  = "canceled"
)

// How long after its label was made a parcel gets somewhere.
const (
	untilPosted    = 24 * time.Hour
	untilDelivered = 72 * time.Hour
)

type order struct {
	ID          string        `json:"id"`
	Protocol    string        `json:"protocol"`
	ServiceID   int           `json:"service_id"`
	Price       brazil.Cents  `json:"price"`
	Status      string        `json:"status"`
	Tracking    *string       `json:"tracking"`
	From        fake.Object   `json:"from"`
	To          fake.Object   `json:"to"`
	Products    []fake.Object `json:"products"`
	Tags        []fake.Object `json:"tags"`
	DeliveryMin int           `json:"delivery_min"`
	CreatedAt   string        `json:"created_at"`
	PaidAt      *string       `json:"paid_at"`
	GeneratedAt *string       `json:"generated_at"`
	PostedAt    *string       `json:"posted_at"`
	DeliveredAt *string       `json:"delivered_at"`
	CanceledAt  *string       `json:"canceled_at"`

	generated time.Time
}

func addToCart(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	kind, refusal := checkOrder(body)
	if refusal != nil {
		return *refusal
	}
	kilograms, refusal := weight(body)
	if refusal != nil {
		return *refusal
	}
	price, days := kind.quote(body.Object("from").Text("postal_code"), body.Object("to").Text("postal_code"), kilograms)
	made := &order{
		ID: c.UUID("order"), Protocol: "ORD-" + c.Now.Format("200601") + c.Token("", fake.Decimal, 8), ServiceID: kind.ID, Price: price,
		Status: statusPending, From: body.Object("from"), To: body.Object("to"), Products: body.Objects("products"),
		Tags: body.Object("options").Objects("tags"), DeliveryMin: days, CreatedAt: stamp(c.Now),
	}
	c.State.orders.Put(made.ID, made)
	c.Effect("order.created", made.ID, made.reference())
	made.tell(c, "order.created")
	return fake.Created(made)
}

// checkOrder asks for all that a label shows.
func checkOrder(body fake.Object) (service, *fake.Answer) {
	faults := body.Missing("service", "from", "to", "products")
	for _, side := range []string{"from", "to"} {
		if body.Has(side) {
			faults = append(faults, under(side, body.Object(side).Missing("name", "address", "city", "postal_code"))...)
		}
	}
	for i, product := range body.Objects("products") {
		faults = append(faults, under("products."+strconv.Itoa(i), product.Missing("name"))...)
	}
	kind, known := serviceOf(body.Text("service"))
	if !known && !slices.Contains(faults, "service") {
		faults = append(faults, "service")
	}
	if len(faults) > 0 {
		return service{}, invalid(faults...)
	}
	return kind, checkRoute(body.Object("from").Text("postal_code"), body.Object("to").Text("postal_code"))
}

// travel moves an order on by the clock. That it has moved is told when somebody
// looks.
func (o *order) travel(c *call) {
	if o.Status != statusGenerated && o.Status != statusPosted {
		return
	}
	if age := c.Now.Sub(o.generated); age >= untilPosted && o.PostedAt == nil {
		at := stamp(o.generated.Add(untilPosted))
		o.Status, o.PostedAt = statusPosted, &at
		o.tell(c, "order.posted")
	}
	if age := c.Now.Sub(o.generated); age >= untilDelivered {
		at := stamp(o.generated.Add(untilDelivered))
		o.Status, o.DeliveredAt = statusDelivered, &at
		o.tell(c, "order.delivered")
	}
}

// reference is the first tag, the caller's own id.
func (o *order) reference() string {
	if len(o.Tags) == 0 {
		return ""
	}
	return o.Tags[0].Text("tag")
}

func find(c *call, id string) (*order, bool) {
	found, ok := c.State.orders.Find(id)
	if ok {
		found.travel(c)
	}
	return found, ok
}

func getOrder(c *call) fake.Answer {
	found, ok := find(c, c.Path("id"))
	if !ok {
		return absent()
	}
	return fake.OK(found)
}

func listOrders(c *call) fake.Answer {
	query := c.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 {
		limit = 20
	}
	offset, _ := strconv.Atoi(query.Get("offset"))
	found := c.State.orders.Newest(func(one *order) bool {
		one.travel(c)
		return query.Get("status") == "" || one.Status == query.Get("status")
	})
	page, _ := fake.Page(found, limit, offset)
	return fake.OK(fake.Map{"current_page": offset/limit + 1, "data": page, "per_page": limit, "total": len(found)})
}

// searchOrders finds by id, protocol, tracking code or tag.
func searchOrders(c *call) fake.Answer {
	wanted := c.Query().Get("q")
	if wanted == "" {
		return *invalid("q")
	}
	return fake.OK(c.State.orders.Newest(func(one *order) bool {
		tagged := slices.ContainsFunc(one.Tags, func(tag fake.Object) bool { return tag.Text("tag") == wanted })
		return tagged || one.ID == wanted || one.Protocol == wanted || one.Tracking != nil && *one.Tracking == wanted
	}))
}

func listCart(c *call) fake.Answer {
	found := c.State.orders.Newest(func(one *order) bool { return one.Status == statusPending })
	return fake.OK(fake.Map{"current_page": 1, "data": found, "total": len(found)})
}

func removeFromCart(c *call) fake.Answer {
	found, ok := find(c, c.Path("id"))
	if !ok {
		return absent()
	}
	if found.Status != statusPending {
		return refuse(http.StatusBadRequest, "A etiqueta não está no carrinho.")
	}
	c.State.orders.Drop(found.ID)
	c.Effect("order.removed", found.ID, found.reference())
	return fake.Answer{Status: http.StatusOK, Body: fake.Map{}}
}

// stamp is a time as the provider writes it, without its zone.
func stamp(t time.Time) string { return t.In(brazil.Zone()).Format(time.DateTime) }
