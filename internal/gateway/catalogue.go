package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/tenant"
)

// Server is a provider as clients know it.
type Server struct {
	ID           string               `json:"id"`
	Name         string               `json:"name"`
	Category     string               `json:"category"`
	Country      string               `json:"country"`
	AuthType     string               `json:"auth_type" enum:"api_key,path_secret,two_header,oauth,cert,none"`
	Status       string               `json:"status"`
	Docs         string               `json:"provider_docs_url,omitempty"`
	ToolsCount   int                  `json:"tools_count"`
	Environments []events.Environment `json:"environments"`
	Fields       []Field              `json:"fields" doc:"What a credential of it consists of."`
}

// Field is one part of a credential.
type Field struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Secret   bool   `json:"secret"`
	Optional bool   `json:"optional"`
}

// Connection is a credential of a tenant, without its values.
type Connection struct {
	Server      string
	Environment events.Environment
	Fields      []string
	// DisplayName is what its owner calls it; empty for nothing.
	DisplayName string
	ConnectedAt time.Time
	// ExpiresAt is when it ends unless it is renewed; zero: never, or not known.
	ExpiresAt time.Time
}

// Tool is a tool as clients hand it to a model.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
	Server      string          `json:"server"`
}

// SessionServer is a server of a session.
type SessionServer struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Category  string `json:"category"`
	Country   string `json:"country"`
	AuthType  string `json:"auth_type"`
	Connected bool   `json:"connected"`
}

type connectionsOut struct {
	Body struct {
		Servers []SessionServer `json:"servers"`
		Tools   []Tool          `json:"tools"`
	}
}

func (g *Gateway) catalogueRoutes() {
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/sessions/{id}/connections", id: "session-connections", group: "sessions",
		summary: "List a session's servers, and its tools as a model takes them", scope: access.ScopeSessionsRead, faults: []int{http.StatusNotFound},
	}, g.sessionConnections)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/servers", id: "list-servers", group: "catalogue", summary: "List the servers that there are", scope: access.ScopeSessionsRead,
	}, g.listServers)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/servers/{id}", id: "get-server", group: "catalogue", summary: "Show a server",
		scope: access.ScopeSessionsRead, faults: []int{http.StatusNotFound},
	}, g.getServer)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/tools", id: "list-tools", group: "catalogue", summary: "List tools", scope: access.ScopeSessionsRead,
	}, g.listTools)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/tools/{name}", id: "get-tool", group: "catalogue", summary: "Show a tool",
		scope: access.ScopeSessionsRead, faults: []int{http.StatusNotFound},
	}, g.getTool)
}

func (g *Gateway) sessionConnections(ctx context.Context, caller access.Caller, in *SessionPath) (*connectionsOut, error) {
	found, err := g.open(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	customer, ok, err := g.cfg.Tenants.Lookup(ctx, found.tenant)
	if err != nil {
		return nil, worded(err)
	}
	if !ok {
		return nil, sessionGone()
	}
	connections, err := g.cfg.Directory.Connections(ctx, found.tenant)
	if err != nil {
		return nil, worded(err)
	}
	out := &connectionsOut{}
	out.Body.Servers, out.Body.Tools = []SessionServer{}, []Tool{}
	for _, id := range found.opened.Servers {
		server := SessionServer{ID: id, Name: id, AuthType: "none"}
		if known, ok := g.cfg.Directory.Server(ctx, customer, id); ok {
			server = SessionServer{ID: id, Name: known.Name, Category: known.Category, Country: known.Country, AuthType: known.AuthType}
			server.Connected = known.AuthType == "none" || connected(connections, id, found.opened.Environment)
		}
		out.Body.Servers = append(out.Body.Servers, server)
	}
	for _, tool := range g.cfg.Catalogue.Tools(ctx, reachOf(found, customer)) {
		out.Body.Tools = append(out.Body.Tools, shownTool(tool))
	}
	return out, nil
}

// reachOf is what a session may use now.
func reachOf(of view, customer tenant.Tenant) agent.Reach {
	return agent.Reach{
		Tenant: customer, Session: of.id, Environment: of.opened.Environment, Mocked: len(of.opened.Mocks) > 0,
		Servers: slices.DeleteFunc(slices.Clone(of.opened.Servers), func(id string) bool { return !slices.Contains(customer.Servers, id) }),
	}
}

func connected(connections []Connection, server string, env events.Environment) bool {
	return slices.ContainsFunc(connections, func(one Connection) bool { return one.Server == server && one.Environment == env })
}

func shownTool(tool agent.Tool) Tool {
	server, _, _ := agent.SplitTool(tool.Name)
	return Tool{Name: tool.Name, Description: tool.Description, InputSchema: tool.Parameters, Server: server}
}

type serversOut struct {
	Body struct {
		Total    int      `json:"total"`
		Filtered int      `json:"filtered"`
		Servers  []Server `json:"servers"`
		Data     []Server `json:"data" doc:"The same again, for clients that read it here."`
	}
}

func (g *Gateway) listServers(_ context.Context, _ access.Caller, in *struct {
	Category string `query:"category" maxLength:"64"`
	Region   string `query:"region" maxLength:"8" doc:"Country, as BR."`
},
) (*serversOut, error) {
	out := &serversOut{}
	all := g.cfg.Directory.Servers()
	out.Body.Total, out.Body.Servers = len(all), []Server{}
	for _, server := range all {
		if (in.Category == "" || in.Category == server.Category) && (in.Region == "" || strings.EqualFold(in.Region, server.Country)) {
			out.Body.Servers = append(out.Body.Servers, server)
		}
	}
	out.Body.Filtered, out.Body.Data = len(out.Body.Servers), out.Body.Servers
	return out, nil
}

type serverOut struct{ Body Server }

func (g *Gateway) getServer(_ context.Context, _ access.Caller, in *struct {
	ID string `path:"id" maxLength:"64"`
},
) (*serverOut, error) {
	all := g.cfg.Directory.Servers()
	at := slices.IndexFunc(all, func(server Server) bool { return server.ID == in.ID })
	if at < 0 {
		return nil, problem(http.StatusNotFound, CodeNotFound, "there is no such server")
	}
	return &serverOut{Body: all[at]}, nil
}

type toolsOut struct {
	Body struct {
		Total int    `json:"total"`
		Tools []Tool `json:"tools"`
		Data  []Tool `json:"data" doc:"The same again, for clients that read it here."`
	}
}

func (g *Gateway) listTools(ctx context.Context, _ access.Caller, in *struct {
	Server string `query:"server" maxLength:"64"`
},
) (*toolsOut, error) {
	out := &toolsOut{}
	out.Body.Tools = []Tool{}
	for _, tool := range g.allTools(ctx) {
		if in.Server == "" || in.Server == tool.Server {
			out.Body.Tools = append(out.Body.Tools, tool)
		}
	}
	out.Body.Total, out.Body.Data = len(out.Body.Tools), out.Body.Tools
	return out, nil
}

type toolOut struct{ Body Tool }

func (g *Gateway) getTool(ctx context.Context, _ access.Caller, in *struct {
	Name string `path:"name" maxLength:"256"`
},
) (*toolOut, error) {
	server, name, _ := agent.SplitTool(in.Name)
	for _, tool := range g.allTools(ctx) {
		if tool.Name == agent.ToolName(server, name) {
			return &toolOut{Body: tool}, nil
		}
	}
	return nil, problem(http.StatusNotFound, CodeNotFound, "there is no such tool")
}

// allTools are those of all servers that every tenant may have.
func (g *Gateway) allTools(ctx context.Context) []Tool {
	var reach agent.Reach
	for _, server := range g.cfg.Directory.Servers() {
		reach.Servers = append(reach.Servers, server.ID)
	}
	var tools []Tool
	for _, tool := range g.cfg.Catalogue.Tools(ctx, reach) {
		tools = append(tools, shownTool(tool))
	}
	return tools
}
