package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// Finding is an event that a provider did not send: what it would have said, as
// a listing of its objects shows it.
type Finding struct {
	// ID is the event's: the same one for the same thing.
	ID     string
	Kind   string
	Object string
	// On is the day on which it happened, or the day before which it cannot have.
	On   time.Time
	Body []byte
}

// foundPrefix begins the ids of events that were found. No provider's do.
const foundPrefix = "found:"

// asaasFinding is what a status of a payment says of what happened, and where
// the payment says when.
type asaasFinding struct {
	kind string
	days []string
}

func asaasFindings() map[string]asaasFinding {
	paid := []string{"paymentDate", "clientPaymentDate", "confirmedDate", "dateCreated"}
	return map[string]asaasFinding{
		"PENDING":          {"PAYMENT_CREATED", []string{"dateCreated"}},
		"CONFIRMED":        {"PAYMENT_CONFIRMED", []string{"confirmedDate", "paymentDate", "dateCreated"}},
		"RECEIVED":         {"PAYMENT_RECEIVED", paid},
		"RECEIVED_IN_CASH": {"PAYMENT_RECEIVED", paid},
		"REFUNDED":         {"PAYMENT_REFUNDED", paid},
		"OVERDUE":          {"PAYMENT_OVERDUE", []string{"dueDate"}},
	}
}

// Findable names what an event says where a listing of Asaas's payments would
// show the same; false where none does.
func Findable(server string, event Event) (string, bool) {
	if server != "asaas" || event.Object == "" {
		return "", false
	}
	for _, known := range asaasFindings() {
		if known.kind == event.Kind {
			return event.Kind + ":" + event.Object, true
		}
	}
	return "", false
}

// FindingsOf reads a page of Asaas's payments. What is not understood of it is
// passed over; more says whether there is another page.
func FindingsOf(page string) (found []Finding, more bool, err error) {
	decoder := json.NewDecoder(strings.NewReader(page))
	decoder.UseNumber()
	var read map[string]any
	if err := decoder.Decode(&read); err != nil {
		return nil, false, fmt.Errorf("%w: payments", ErrUnreadable)
	}
	listed, _ := document{read}.at("data").value.([]any)
	for _, one := range listed {
		payment := document{one}
		known, ok := asaasFindings()[payment.text("status")]
		id := payment.text("id")
		if !ok || id == "" || payment.at("deleted").value == true {
			continue
		}
		made := Finding{ID: foundPrefix + known.kind + ":" + id, Kind: known.kind, Object: id}
		for _, name := range known.days {
			if made.On, err = time.ParseInLocation(time.DateOnly, payment.text(name), brasilia()); err == nil {
				break
			}
		}
		if made.On.IsZero() {
			continue // nobody knows whether it is news
		}
		if made.Body, err = encode(map[string]any{"id": made.ID, "event": known.kind, "payment": one}); err != nil {
			return nil, false, err
		}
		found = append(found, made)
	}
	return found, document{read}.at("hasMore").value == true, nil
}

// Day is the day of a moment in Brasília, where Asaas counts days.
func Day(at time.Time) time.Time {
	year, month, day := at.In(brasilia()).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, brasilia())
}

// Warning is an event that says how a connection's webhooks stand: one for each
// day, however often it is said.
func Warning(fact events.Fact, queue, status string, at time.Time) (Finding, error) {
	made := Finding{ID: foundPrefix + string(fact) + ":" + queue + ":" + Day(at).Format(time.DateOnly), Kind: string(fact), Object: queue, On: Day(at)}
	var err error
	made.Body, err = encode(map[string]any{
		"id": made.ID, "event": made.Kind, "dateCreated": at.In(brasilia()).Format(time.DateTime), "webhook": map[string]any{"id": queue, "status": status},
	})
	return made, err
}

// WarningOf is the fact that a [Warning] says; empty for any other kind.
func WarningOf(kind string) events.Fact {
	fact := events.Fact(kind)
	if slices.Contains([]events.Fact{events.FactWebhookInterrupted, events.FactWebhookFailing, events.FactWebhookResumed}, fact) {
		return fact
	}
	return ""
}

func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(text.Bytes()), nil
}
