package zapi

import (
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type contact struct {
	Phone string `json:"phone"`
	Name  string `json:"name"`
	Short string `json:"short"`
}

func listContacts(c *call) fake.Answer {
	return fake.OK(c.State.contacts.Newest(func(contact) bool { return true }))
}

func findContact(c *call) fake.Answer {
	found, ok := c.State.contacts.Find(c.Path("phone"))
	if !ok {
		return refuse(http.StatusNotFound, "Contact not found")
	}
	return fake.OK(found)
}

func phoneExists(c *call) fake.Answer {
	phone := c.Path("phone")
	if !phonePattern.MatchString(phone) {
		return refuse(http.StatusBadRequest, "Invalid phone: 10 to 15 digits with the country code")
	}
	exists := !strings.HasSuffix(phone, "0000")
	return fake.OK(fake.Map{"exists": exists, "phone": phone})
}

func status(*call) fake.Answer {
	return fake.OK(fake.Map{"connected": true, "session": true, "smartphoneConnected": true, "error": ""})
}
