package zapi

import (
	"encoding/json"
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
	return fake.OK(paged(c, c.State.contacts.Newest(func(contact) bool { return true })))
}

// addContacts takes a list, alone of all routes.
func addContacts(c *call) fake.Answer {
	var list []struct {
		FirstName string `json:"firstName"`
		LastName  string `json:"lastName"`
		Phone     string `json:"phone"`
	}
	if err := json.Unmarshal(c.Body, &list); err != nil || len(list) == 0 {
		return refuse(http.StatusBadRequest, "Body must be a JSON array of contacts")
	}
	for _, one := range list {
		if one.FirstName == "" || !phonePattern.MatchString(one.Phone) {
			return refuse(http.StatusBadRequest, "Invalid contact: firstName and phone are required")
		}
		made := contact{Phone: one.Phone, Name: strings.TrimSpace(one.FirstName + " " + one.LastName), Short: one.FirstName}
		if known, ok := c.State.contacts.Find(one.Phone); !ok || known != made {
			c.State.contacts.Put(one.Phone, made)
			c.Effect("contact.saved", one.Phone, "")
		}
	}
	return fake.OK(fake.Map{"success": true, "errors": []string{}})
}

func profilePicture(c *call) fake.Answer {
	phone := c.Query().Get("phone")
	if !phonePattern.MatchString(phone) {
		return refuse(http.StatusBadRequest, "Invalid phone: 10 to 15 digits with the country code")
	}
	return fake.OK(fake.Map{"link": "https://pps.whatsapp.net/v/sandbox/" + phone + ".jpg"})
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
	exists := onWhatsApp(phone)
	return fake.OK(fake.Map{"exists": exists, "phone": phone})
}

func status(*call) fake.Answer {
	return fake.OK(fake.Map{"connected": true, "session": true, "smartphoneConnected": true, "error": ""})
}
