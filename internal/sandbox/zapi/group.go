package zapi

import (
	"net/http"
	"slices"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type group struct {
	Phone        string        `json:"phone"` // so named there: the group's id
	Subject      string        `json:"subject"`
	Owner        string        `json:"owner"`
	Creation     int64         `json:"creation"`
	Link         string        `json:"invitationLink"`
	Participants []participant `json:"participants"`
}

type participant struct {
	Phone   string `json:"phone"`
	IsAdmin bool   `json:"isAdmin"`
}

func createGroup(c *call) fake.Answer {
	body, phones, refusal := members(c, "groupName")
	if refusal != nil {
		return *refusal
	}
	made := &group{
		Phone: "1203630" + c.Token("", fake.Decimal, 11) + "-group", Subject: body.Text("groupName"), Owner: "5511900000001", Creation: c.Now.UnixMilli(),
		Link: "https://chat.whatsapp.com/" + c.Token("", fake.Base62, 22),
	}
	made.Participants = append(made.Participants, participant{Phone: made.Owner, IsAdmin: true})
	for _, phone := range phones {
		made.Participants = append(made.Participants, participant{Phone: phone})
	}
	c.State.groups.Put(made.Phone, made)
	c.Effect("group.created", made.Phone, "")
	return fake.OK(fake.Map{"phone": made.Phone, "invitationLink": made.Link})
}

// members reads a body that lists phones, and asks for a decision on those who
// cannot be added.
func members(c *call, fields ...string) (fake.Object, []string, *fake.Answer) {
	refuse := func(text string) (fake.Object, []string, *fake.Answer) {
		answer := refuse(http.StatusBadRequest, text)
		return nil, nil, &answer
	}
	body, err := c.Object()
	if err != nil {
		return refuse("Body must be a JSON object")
	}
	if missing := body.Missing(append([]string{"phones", "autoInvite"}, fields...)...); len(missing) > 0 {
		return refuse("Missing required field: " + missing[0])
	}
	phones := body.Texts("phones")
	for _, phone := range phones {
		if !phonePattern.MatchString(phone) {
			return refuse("Invalid phone: 10 to 15 digits with the country code")
		}
	}
	return body, phones, nil
}

func groupMetadata(c *call) fake.Answer {
	found, ok := c.State.groups.Find(c.Path("group"))
	if !ok {
		return refuse(http.StatusNotFound, "Group not found")
	}
	return fake.OK(found)
}

func listGroups(c *call) fake.Answer {
	found := c.State.groups.Newest(func(*group) bool { return true })
	lines := make([]fake.Map, 0, len(found))
	for _, one := range paged(c, found) {
		lines = append(lines, fake.Map{"phone": one.Phone, "name": one.Subject, "isGroup": true, "unread": "0"})
	}
	return fake.OK(lines)
}

func addParticipant(c *call) fake.Answer {
	body, phones, refusal := members(c, "groupId")
	if refusal != nil {
		return *refusal
	}
	found, ok := c.State.groups.Find(body.Text("groupId"))
	if !ok {
		return refuse(http.StatusNotFound, "Group not found")
	}
	for _, phone := range phones {
		if found.has(phone) {
			continue
		}
		found.Participants = append(found.Participants, participant{Phone: phone})
		c.Effect("group.joined", found.Phone, "")
	}
	return fake.OK(fake.Map{"value": true})
}

func (g *group) has(phone string) bool {
	return slices.ContainsFunc(g.Participants, func(one participant) bool { return one.Phone == phone })
}

func removeParticipant(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return refuse(http.StatusBadRequest, "Body must be a JSON object")
	}
	if missing := body.Missing("groupId", "phones"); len(missing) > 0 {
		return refuse(http.StatusBadRequest, "Missing required field: "+missing[0])
	}
	found, ok := c.State.groups.Find(body.Text("groupId"))
	if !ok {
		return refuse(http.StatusNotFound, "Group not found")
	}
	for _, phone := range body.Texts("phones") {
		if !found.has(phone) {
			continue
		}
		found.Participants = slices.DeleteFunc(found.Participants, func(one participant) bool { return one.Phone == phone })
		c.Effect("group.left", found.Phone, "")
	}
	return fake.OK(fake.Map{"value": true})
}
