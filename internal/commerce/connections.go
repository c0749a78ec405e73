package commerce

import (
	"context"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

const connectionsAbout = "List this business's connections to servers (action list, the default), read the status of one (status), or learn what it takes to connect one (initiate). It never takes or shows a secret."

const connectionsSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "action": {"enum": ["list", "status", "initiate"]},
    "server_id": {"type": "string", "minLength": 1, "maxLength": 64},
    "country": {"type": "string", "pattern": "^[A-Za-z]{2}$"},
    "environment": {"enum": ["live", "test"], "description": "That of this session; another one is refused"},
    "return_to": {"type": "string", "pattern": "^https://", "maxLength": 2000}
  }
}`

type connecting struct {
	Action      string             `json:"action"`
	ServerID    string             `json:"server_id"`
	Country     string             `json:"country"`
	Environment events.Environment `json:"environment"`
}

type connections struct {
	Action      string          `json:"action"`
	Connections []connectionRow `json:"connections"`
	Status      *connectionRow  `json:"status"`
	Initiate    *initiation     `json:"initiate"`
}

type connectionRow struct {
	ServerID    string            `json:"server_id"`
	DisplayName string            `json:"display_name"`
	AuthType    AuthKind          `json:"auth_type"`
	Status      string            `json:"status"`
	Difficulty  string            `json:"difficulty"`
	Metadata    map[string]string `json:"connection_metadata"`
	ConnectedAt *string           `json:"connected_at"`
}

type initiation struct {
	ServerID        string           `json:"server_id"`
	DisplayName     string           `json:"display_name"`
	AuthType        AuthKind         `json:"auth_type"`
	Difficulty      string           `json:"difficulty"`
	Status          string           `json:"status"`
	ConnectURL      *string          `json:"connect_url"`
	Instructions    []string         `json:"instructions"`
	RequiredSecrets []requiredSecret `json:"required_secrets"`
	KnownPitfalls   []string         `json:"known_pitfalls"`
	NextAction      string           `json:"next_action"`
}

type requiredSecret struct {
	Name string `json:"name"`
	Hint string `json:"hint,omitempty"`
}

func (m *Market) manageConnections(ctx context.Context, r *run) (string, error) {
	in := connecting{Action: "list"}
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	if in.Environment != "" && in.Environment != r.call.Environment {
		return "", misfit("/environment", "is not that of this session, which is %s", r.call.Environment)
	}
	held, err := m.held(ctx, r)
	if err != nil {
		return "", r.failedToTell()
	}
	answer := connections{Action: in.Action, Connections: []connectionRow{}}
	if in.Action == "list" {
		for _, server := range m.ofTenant(r.call.Reach) {
			if in.ServerID == "" || in.ServerID == server.ID {
				answer.Connections = append(answer.Connections, rowOf(server, held))
			}
		}
		return bounded(answer)
	}
	if in.ServerID == "" {
		return "", misfit("/server_id", "is missing, which action %s needs", in.Action)
	}
	server, known := m.known(in.ServerID, r.call.Reach)
	if !known {
		return "", misfit("/server_id", "is no server that is known here")
	}
	row := rowOf(server, held)
	answer.Connections, answer.Status = append(answer.Connections, row), &row
	if in.Action == "initiate" {
		answer.Initiate = m.initiate(server, row, r)
	}
	return bounded(answer)
}

// held is the credentials of the tenant in the session's environment, and in no
// other.
func (m *Market) held(ctx context.Context, r *run) (map[string]time.Time, error) {
	if m.cfg.Connections == nil {
		return map[string]time.Time{}, nil
	}
	return m.cfg.Connections.Connected(ctx, r.call.Tenant, r.call.Environment)
}

// statuses tells of each server whether it is connected.
func (m *Market) statuses(ctx context.Context, r *run) (func(server string) string, error) {
	held, err := m.held(ctx, r)
	return func(id string) string {
		server, known := m.known(id, r.call.Reach)
		if id == agent.OwnServer || !known {
			return notRequired
		}
		return rowOf(server, held).Status
	}, err
}

// failedToTell is a look at the credentials that did not come about. Why is for
// whoever keeps them to log, and nothing to a model.
func (r *run) failedToTell() error {
	return &haltError{result: agent.Result{Status: events.ToolError, Fault: &events.ToolFault{
		Code: events.FaultProviderError, Message: "the connections cannot be read now",
	}}}
}

// ofTenant are the tenant's servers: the session's first, then its others, then
// those that it could have.
func (m *Market) ofTenant(reach agent.Reach) []Server {
	var servers []Server
	add := func(id string) {
		if slices.ContainsFunc(servers, func(server Server) bool { return server.ID == id }) {
			return
		}
		if server, known := m.known(id, reach); known {
			servers = append(servers, server)
		}
	}
	for _, id := range slices.Concat(reach.Servers, reach.Tenant.Servers) {
		add(id)
	}
	for _, server := range m.directory() {
		add(server.ID)
	}
	return servers
}

// known is a server of the directory, or one of the session that the directory
// does not know, of which there is only its name to tell.
func (m *Market) known(id string, reach agent.Reach) (Server, bool) {
	for _, server := range m.directory() {
		if server.ID == id {
			return server, true
		}
	}
	return Server{ID: id, Name: id, Auth: AuthNone}, id != agent.OwnServer && reach.Has(id)
}

func rowOf(server Server, held map[string]time.Time) connectionRow {
	row := connectionRow{
		ServerID: server.ID, DisplayName: server.Name, AuthType: server.Auth, Status: disconnected, Difficulty: difficulty(server.Auth),
		Metadata: map[string]string{},
	}
	at, ok := held[server.ID]
	switch {
	case ok:
		text := at.UTC().Format(time.RFC3339)
		row.Status, row.ConnectedAt = connected, &text
	case server.Auth == AuthNone:
		row.Status = notRequired
	}
	return row
}

// difficulty is how hard it is to come by a credential: a key is copied from a
// page, an application has to be registered first.
func difficulty(kind AuthKind) string {
	switch kind {
	case AuthAPIKey, AuthNone:
		return "easy"
	case AuthPathSecret, AuthTwoHeader:
		return "medium"
	case AuthOAuth:
		return "hard"
	}
	return "hard"
}

func (m *Market) initiate(server Server, row connectionRow, r *run) *initiation {
	made := &initiation{
		ServerID: server.ID, DisplayName: server.Name, AuthType: server.Auth, Difficulty: row.Difficulty, Status: row.Status,
		Instructions: []string{}, RequiredSecrets: []requiredSecret{}, KnownPitfalls: []string{},
		NextAction: "An operator stores the credential: feira credential set. It is never given to this agent.",
	}
	if server.Auth == AuthNone {
		made.NextAction = "Nothing is needed."
		return made
	}
	if server.Docs != "" {
		made.Instructions = append(made.Instructions, "Get the credential for the "+string(r.call.Environment)+" environment at "+server.Name+": "+server.Docs)
	}
	made.Instructions = append(made.Instructions, "Have an operator store it with feira credential set. Do not send it in a message.")
	for _, field := range server.Fields {
		if !field.Optional {
			made.RequiredSecrets = append(made.RequiredSecrets, requiredSecret{Name: field.Name, Hint: field.Hint})
		}
	}
	if !slices.Contains(server.Environments, r.call.Environment) && len(server.Environments) > 0 {
		made.KnownPitfalls = append(made.KnownPitfalls, server.Name+" has no "+string(r.call.Environment)+" environment.")
	}
	for _, pitfall := range server.Pitfalls {
		made.KnownPitfalls = append(made.KnownPitfalls, clip(pitfall, maxPitfall))
	}
	if !slices.Contains(r.call.Reach.Tenant.Servers, server.ID) {
		made.KnownPitfalls = append(made.KnownPitfalls, server.ID+" is none of this tenant's servers yet: an operator adds it first.")
	}
	return made
}
