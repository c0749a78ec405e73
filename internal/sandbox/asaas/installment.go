package asaas

import (
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// maxInstallments is the most that a card brand allows.
const maxInstallments = 21

// createInstallments makes a payment a month, and answers with the first.
func createInstallments(c *call, body fake.Object) fake.Answer {
	count, err := strconv.Atoi(body.Text("installmentCount"))
	if err != nil || count < 2 || count > maxInstallments {
		return invalid("invalid_installmentCount", "O número de parcelas deve estar entre 2 e 21.")
	}
	value, ok := body.Cents("installmentValue")
	if !ok || value <= 0 {
		total, _ := body.Cents("value")
		value = total / brazil.Cents(count)
	}
	due, _ := time.Parse(time.DateOnly, body.Text("dueDate"))
	plan := c.UUID("installment")
	parts := make([]*payment, count)
	for i := range parts {
		parts[i] = newPayment(c, body, value)
		parts[i].DueDate, parts[i].Installment, parts[i].InstallmentNumber = day(monthsAfter(due, i)), plan, i+1
		c.State.payments.Put(parts[i].ID, parts[i])
		parts[i].tell(c, "PAYMENT_CREATED")
	}
	c.Effect("payment.created", parts[0].ID, parts[0].ExternalReference)
	return fake.OK(parts[0])
}

// monthsAfter is the same day of a later month, or its last one.
func monthsAfter(day time.Time, months int) time.Time {
	first := time.Date(day.Year(), day.Month()+time.Month(months), 1, 0, 0, 0, 0, day.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(day.Day(), last)-1)
}

func listInstallments(c *call) fake.Answer {
	found := c.State.payments.Newest(func(one *payment) bool {
		return one.Installment == c.Path("id") && agree(c.Query().Get("status"), one.Status)
	})
	if len(found) == 0 {
		return absent()
	}
	slices.Reverse(found)
	return listed(c, found)
}
