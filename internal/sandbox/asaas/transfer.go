package asaas

import (
	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type transfer struct {
	Object            string       `json:"object"`
	ID                string       `json:"id"`
	DateCreated       string       `json:"dateCreated"`
	Value             brazil.Cents `json:"value"`
	NetValue          brazil.Cents `json:"netValue"`
	Type              string       `json:"type"`
	OperationType     string       `json:"operationType"`
	Status            string       `json:"status"`
	ScheduleDate      string       `json:"scheduleDate,omitempty"`
	Description       string       `json:"description,omitempty"`
	ExternalReference string       `json:"externalReference,omitempty"`
}

// createTransfer takes the money at once; it arrives at once too, unless it is
// to be sent on a later day.
func createTransfer(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	value, ok := body.Cents("value")
	switch {
	case !ok || value <= 0:
		return invalid("invalid_value", "O valor da transferência deve ser maior que zero.")
	case !body.Has("pixAddressKey") && !body.Has("bankAccount"):
		return invalid("invalid_action", "Informe a chave Pix ou a conta bancária de destino.")
	case c.State.balance < value:
		return invalid("invalid_action", "Saldo insuficiente para a transferência.")
	}
	way := "PIX"
	if body.Has("bankAccount") && body.Text("operationType") != "PIX" {
		way = "TED"
	}
	made := &transfer{
		Object: "transfer", ID: c.UUID("transfer"), DateCreated: day(c.Now), Value: value, NetValue: value, Type: way, OperationType: way, Status: "DONE",
		ScheduleDate: body.Text("scheduleDate"), Description: body.Text("description"), ExternalReference: body.Text("externalReference"),
	}
	if made.ScheduleDate > day(c.Now) {
		made.Status = "PENDING"
	}
	c.State.balance -= value
	c.State.transfers.Put(made.ID, made)
	c.Effect("transfer.created", made.ID, made.ExternalReference)
	made.tell(c, "TRANSFER_CREATED")
	if made.Status == "DONE" {
		made.tell(c, "TRANSFER_DONE")
	}
	return fake.OK(made)
}

// listTransfers knows no filter by reference, as the real one does not.
func listTransfers(c *call) fake.Answer {
	query := c.Query()
	from, to := query.Get("dateCreated[ge]"), query.Get("dateCreated[le]")
	return listed(c, c.State.transfers.Newest(func(one *transfer) bool {
		return agree(query.Get("type"), one.Type) && (from == "" || one.DateCreated >= from) && (to == "" || one.DateCreated <= to)
	}))
}
