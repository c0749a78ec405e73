package zapi

import (
	"net/http"
	"regexp"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type message struct {
	ID      string      `json:"messageId"`
	ZaapID  string      `json:"zaapId"`
	Phone   string      `json:"phone"`
	FromMe  bool        `json:"fromMe"`
	Moment  int64       `json:"momment"` // so spelled there
	Status  string      `json:"status"`
	Type    string      `json:"type"`
	Content fake.Object `json:"content"`
}

// kind is a sort of message.
type kind struct {
	path string
	// fields must be in the body besides the phone.
	fields []string
}

func kinds() []kind {
	return []kind{
		{"send-text", []string{"message"}},
		{"send-image", []string{"image"}},
		{"send-document", []string{"document"}},
		{"send-audio", []string{"audio"}},
		{"send-location", []string{"title", "address", "latitude", "longitude"}},
		{"send-contact", []string{"contactName", "contactPhone"}},
		{"send-button-list", []string{"message", "buttonList"}},
		{"send-option-list", []string{"message", "optionList"}},
		{"send-button-actions", []string{"message", "buttonActions"}},
	}
}

var phonePattern = regexp.MustCompile(`^[0-9]{10,15}$`)

func (k kind) send(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return refuse(http.StatusBadRequest, "Body must be a JSON object")
	}
	if missing := body.Missing(append([]string{"phone"}, k.fields...)...); len(missing) > 0 {
		return refuse(http.StatusBadRequest, "Missing required field: "+missing[0])
	}
	phone := body.Text("phone")
	if !phonePattern.MatchString(phone) {
		return refuse(http.StatusBadRequest, "Invalid phone: 10 to 15 digits with the country code")
	}
	content := fake.Object{}
	for name, value := range body {
		if name != "phone" {
			content[name] = value
		}
	}
	sent := &message{
		ID: c.Token("", fake.HexUpper, 32), ZaapID: c.Token("", fake.HexUpper, 32), Phone: phone, FromMe: true,
		Moment: c.Now.UnixMilli(), Status: "SENT", Type: k.path, Content: content,
	}
	c.State.messages.Put(sent.ID, sent)
	if _, known := c.State.contacts.Find(phone); !known {
		c.State.contacts.Put(phone, contact{Phone: phone, Name: phone, Short: phone})
	}
	c.Effect("message.sent", sent.ID, "")
	sent.travel(c)
	return fake.OK(fake.Map{"zaapId": sent.ZaapID, "messageId": sent.ID, "id": sent.ID})
}

func readMessage(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return refuse(http.StatusBadRequest, "Body must be a JSON object")
	}
	if missing := body.Missing("phone", "messageId"); len(missing) > 0 {
		return refuse(http.StatusBadRequest, "Missing required field: "+missing[0])
	}
	found, ok := c.State.messages.Find(body.Text("messageId"))
	if !ok || found.Phone != body.Text("phone") {
		return refuse(http.StatusNotFound, "Message not found")
	}
	if found.Status != "READ" {
		found.Status = "READ"
		c.Effect("message.read", found.ID, "")
	}
	return fake.OK(fake.Map{"value": true})
}

// deleteMessage answers with nothing, as there.
func deleteMessage(c *call) fake.Answer {
	query := c.Query()
	found, ok := c.State.messages.Find(query.Get("messageId"))
	if !ok || found.Phone != query.Get("phone") {
		return refuse(http.StatusNotFound, "Message not found")
	}
	if query.Get("owner") != "true" {
		return refuse(http.StatusBadRequest, "The message was sent by the account itself")
	}
	c.State.messages.Drop(found.ID)
	c.Effect("message.deleted", found.ID, "")
	return fake.Answer{Status: http.StatusNoContent}
}

func listMessages(c *call) fake.Answer {
	return fake.OK(c.State.messages.Newest(func(one *message) bool { return one.Phone == c.Path("phone") }))
}
