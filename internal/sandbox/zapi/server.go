package zapi

import (
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Server is the provider's name.
const Server = "z-api"

type call = fake.Call[state]

// state is one account's.
type state struct {
	messages fake.Shelf[*message]
	contacts fake.Shelf[contact]
	chats    fake.Shelf[*chat]
	groups   fake.Shelf[*group]
	hooks    map[string]*hook // by the name of what is told
}

// New returns Z-API without accounts. A credential is
// {instance_id, token, client_token}.
func New(world fake.World) *fake.Server[state] {
	s := fake.NewServer(world, fake.Dialect[state]{
		Server:   Server,
		Fields:   []string{"instance_id", "token", "client_token"},
		Key:      func(f map[string]string) string { return key(f["instance_id"], f["token"], f["client_token"]) },
		State:    func() *state { return &state{hooks: map[string]*hook{}} },
		Identify: identify,
		Subscribe: func(c *call, set fake.Hook) {
			for _, name := range hookNames() {
				setHook(c, name, set.URL)
			}
		},
		Unknown: func(r *http.Request) fake.Answer {
			return refuse(http.StatusForbidden, "Instance not found, or Client-Token not allowed")
		},
		Refuse: func(_ *http.Request, status int) fake.Answer {
			return refuse(status, strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_")))
		},
	})
	at := func(route string) string {
		method, path, _ := strings.Cut(route, " ")
		return method + " /instances/{instance}/token/{token}" + path
	}
	for _, name := range hookNames() {
		s.Handle(at("PUT /update-webhook-"+name), updateHooks(name))
	}
	s.Handle(at("PUT /update-every-webhooks"), updateHooks(hookNames()...))
	s.HandleAct("POST /messages/{id}", readByCustomer)
	s.HandleAct("POST /instances/{instance}/messages", writtenByCustomer)
	for _, kind := range kinds() {
		s.Handle(at("POST /"+kind.path), kind.send)
	}
	s.Handle(at("POST /send-document/{extension}"), kinds()[2].send)
	s.Handle(at("POST /read-message"), readMessage)
	s.Handle(at("GET /phone-exists/{phone}"), phoneExists)
	s.Handle(at("GET /status"), status)
	s.Handle(at("GET /contacts"), listContacts)
	s.Handle(at("GET /contacts/{phone}"), findContact)
	s.Handle(at("GET /messages/{phone}"), listMessages)
	s.Handle(at("GET /chat-messages/{phone}"), listMessages)
	s.Handle(at("DELETE /messages"), deleteMessage)
	s.Handle(at("GET /profile-picture"), profilePicture)
	s.Handle(at("POST /contacts/add"), addContacts)
	s.Handle(at("GET /chats"), listChats)
	s.Handle(at("POST /modify-chat"), modifyChat)
	s.Handle(at("GET /tags"), listLabels)
	s.Handle(at("PUT /chats/{phone}/tags/{tag}/add"), addLabel)
	s.Handle(at("GET /groups"), listGroups)
	s.Handle(at("POST /create-group"), createGroup)
	s.Handle(at("GET /group-metadata/{group}"), groupMetadata)
	s.Handle(at("POST /add-participant"), addParticipant)
	s.Handle(at("POST /remove-participant"), removeParticipant)
	return s
}

func key(instance, token, client string) string {
	return strings.Join([]string{instance, token, client}, "\x00")
}

func identify(r *http.Request) (string, *fake.Answer) {
	client := r.Header.Get("Client-Token")
	if client == "" {
		answer := refuse(http.StatusForbidden, "null not allowed")
		return "", &answer
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if len(parts) < 4 || parts[0] != "instances" || parts[2] != "token" {
		answer := refuse(http.StatusNotFound, "NOT_FOUND")
		return "", &answer
	}
	return key(parts[1], parts[3], client), nil
}

func refuse(status int, text string) fake.Answer {
	return fake.Answer{Status: status, Body: fake.Map{"error": text}}
}
