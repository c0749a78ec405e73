package zapi

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// chat is what is known of a conversation besides its messages.
type chat struct {
	unread bool
	labels []string
}

// label is one of WhatsApp Business; an account has these three.
type label struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Color int    `json:"color"`
}

func labels() []label {
	return []label{{"1", "New customer", 1}, {"2", "New order", 2}, {"3", "Paid", 3}}
}

// of finds a chat, which there is once something was sent to the phone.
func of(c *call, phone string) (*chat, bool) {
	if found, ok := c.State.chats.Find(phone); ok {
		return found, true
	}
	if _, known := c.State.contacts.Find(phone); !known {
		return nil, false
	}
	made := &chat{}
	c.State.chats.Put(phone, made)
	return made, true
}

func listChats(c *call) fake.Answer {
	lines := []fake.Map{}
	for _, one := range paged(c, c.State.contacts.Newest(func(contact) bool { return true })) {
		unread := "0"
		if kept, ok := of(c, one.Phone); ok && kept.unread {
			unread = "1"
		}
		lines = append(lines, fake.Map{"phone": one.Phone, "name": one.Name, "unread": unread, "isGroup": false})
	}
	return fake.OK(lines)
}

func modifyChat(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return refuse(http.StatusBadRequest, "Body must be a JSON object")
	}
	action := body.Text("action")
	if action != "read" && action != "unread" {
		return refuse(http.StatusBadRequest, "Invalid action")
	}
	found, ok := of(c, body.Text("phone"))
	if !ok {
		return refuse(http.StatusNotFound, "Chat not found")
	}
	if unread := action == "unread"; unread != found.unread {
		found.unread = unread
		c.Effect("chat."+action, body.Text("phone"), "")
	}
	return fake.OK(fake.Map{"value": true})
}

func listLabels(*call) fake.Answer { return fake.OK(labels()) }

func addLabel(c *call) fake.Answer {
	found, ok := of(c, c.Path("phone"))
	if !ok {
		return refuse(http.StatusNotFound, "Chat not found")
	}
	wanted := c.Path("tag")
	if !slices.ContainsFunc(labels(), func(one label) bool { return one.ID == wanted }) {
		return refuse(http.StatusNotFound, "Tag not found")
	}
	if !slices.Contains(found.labels, wanted) {
		found.labels = append(found.labels, wanted)
		c.Effect("chat.labelled", c.Path("phone"), "")
	}
	return fake.OK(fake.Map{"value": true})
}

// paged is the page of a list that a query asks for; all of it without one.
func paged[T any](c *call, all []T) []T {
	size, err := strconv.Atoi(c.Query().Get("pageSize"))
	if err != nil || size < 1 {
		return all
	}
	number, _ := strconv.Atoi(c.Query().Get("page"))
	page, _ := fake.Page(all, size, (max(number, 1)-1)*size)
	return page
}
