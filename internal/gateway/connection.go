package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
)

// ConnectionRow is a connection as clients know it: all but the secret.
type ConnectionRow struct {
	ID          string   `json:"id"`
	UserID      string   `json:"user_id"`
	ServerID    string   `json:"server_id"`
	AuthType    string   `json:"auth_type"`
	Status      string   `json:"status" enum:"pending,connected,revoked,expired"`
	DisplayName string   `json:"display_name"`
	Fields      []string `json:"fields" doc:"Names of the secret's parts."`
	CreatedAt   Moment   `json:"created_at"`
	ConnectedAt *Moment  `json:"connected_at" nullable:"true"`
	RevokedAt   *Moment  `json:"revoked_at" nullable:"true"`
	ExpiresAt   *Moment  `json:"expires_at" nullable:"true"`
}

// Secret is a credential on its way in: one line, or an object of fields.
type Secret struct{ text string }

// UnmarshalJSON takes a text or an object of texts.
func (s *Secret) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		s.text = string(data)
		return nil
	}
	return json.Unmarshal(data, &s.text)
}

type connectIn struct {
	Body struct {
		_           struct{}        `json:"-" additionalProperties:"true"`
		ServerID    string          `json:"server_id" minLength:"1" maxLength:"64"`
		Secret      json.RawMessage `json:"secret" doc:"The credential: a text, or an object with its fields."`
		DisplayName string          `json:"display_name,omitempty" maxLength:"128" doc:"For people; the one before where left out, and the server's where there is none."`
		UserID      string          `json:"user_id,omitempty" maxLength:"128" doc:"The tenant; a tenant's own key needs none."`
	}
}

type connectionOut struct {
	Status int
	Body   ConnectionRow
}

type connectionListOut struct {
	Body struct {
		Connections []ConnectionRow `json:"connections"`
	}
}

func (g *Gateway) connectionRoutes() {
	const group = "connections"
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/connections", id: "create-connection", group: group, status: http.StatusCreated, also: []int{http.StatusOK},
		summary: "Seal a tenant's credential for a server, new or in place of the one before", scope: access.ScopeConnectionsWrite, faults: []int{http.StatusNotFound},
	}, g.connect)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/connections", id: "list-connections", group: group,
		summary: "List a tenant's connections, without their secrets", scope: access.ScopeConnectionsRead, faults: []int{http.StatusNotFound},
	}, g.listConnections)
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/connections/{id}/revoke", id: "revoke-connection", group: group,
		summary: "Delete a tenant's credential for a server", scope: access.ScopeConnectionsWrite, faults: []int{http.StatusNotFound},
	}, g.revokeConnection)
}

func (g *Gateway) connect(ctx context.Context, caller access.Caller, in *connectIn) (*connectionOut, error) {
	customer, err := g.customer(ctx, caller, in.Body.UserID)
	if err != nil {
		return nil, err
	}
	var secret Secret
	if err := secret.UnmarshalJSON(in.Body.Secret); err != nil || strings.TrimSpace(secret.text) == "" {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "want a text or an object of texts").at("/secret")
	}
	server, ok := g.cfg.Directory.Server(ctx, customer, in.Body.ServerID)
	if !ok || !slices.Contains(customer.Servers, in.Body.ServerID) {
		return nil, problem(http.StatusNotFound, CodeNotFound, "the tenant has no such server").at("/server_id")
	}
	before, err := g.cfg.Directory.Connections(ctx, customer.ID)
	if err != nil {
		return nil, worded(err)
	}
	if err := g.cfg.Safe.Seal(ctx, customer, Sealing{Server: server.ID, Text: secret.text, DisplayName: in.Body.DisplayName}); errors.Is(err, ErrUnfit) {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error()).at("/secret")
	} else if err != nil {
		return nil, unsure(err, remedyAgain)
	}
	row, err := g.connectionRow(ctx, customer, server.ID)
	if err != nil {
		return nil, unshown(err, remedyAgain)
	}
	out := &connectionOut{Status: http.StatusCreated, Body: row}
	if connected(before, server.ID, customer.Environment) {
		out.Status = http.StatusOK
	}
	return out, nil
}

func (g *Gateway) connectionRow(ctx context.Context, customer tenant.Tenant, server string) (ConnectionRow, error) {
	rows, err := g.connectionRows(ctx, customer)
	if err != nil {
		return ConnectionRow{}, err
	}
	at := slices.IndexFunc(rows, func(row ConnectionRow) bool { return row.ServerID == server })
	if at < 0 {
		return ConnectionRow{}, fmt.Errorf("the credential of %s for %s is gone again", customer.ID, server)
	}
	return rows[at], nil
}

func (g *Gateway) connectionRows(ctx context.Context, customer tenant.Tenant) ([]ConnectionRow, error) {
	connections, err := g.cfg.Directory.Connections(ctx, customer.ID)
	if err != nil {
		return nil, err
	}
	rows := []ConnectionRow{}
	for _, one := range connections {
		if one.Environment != customer.Environment {
			continue
		}
		row := ConnectionRow{
			ID: connectionID(customer.ID, one.Server, one.Environment), UserID: string(customer.ID), ServerID: one.Server, AuthType: "api_key",
			Status: "connected", DisplayName: one.Server, Fields: one.Fields, CreatedAt: momentOf(one.ConnectedAt), ConnectedAt: moment(one.ConnectedAt), ExpiresAt: moment(one.ExpiresAt),
		}
		if server, ok := g.cfg.Directory.Server(ctx, customer, one.Server); ok {
			row.AuthType, row.DisplayName = server.AuthType, server.Name
		}
		if one.DisplayName != "" {
			row.DisplayName = one.DisplayName
		}
		if !one.ExpiresAt.IsZero() && !g.cfg.Now().Before(one.ExpiresAt) {
			row.Status = "expired"
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (g *Gateway) listConnections(ctx context.Context, caller access.Caller, in *struct {
	UserID   string `query:"user_id" maxLength:"128" doc:"The tenant; a tenant's own key needs none."`
	ServerID string `query:"server_id" maxLength:"64"`
	Status   string `query:"status" enum:"pending,connected,revoked,expired"`
},
) (*connectionListOut, error) {
	customer, err := g.customerOf(ctx, caller, in.UserID)
	if err != nil {
		return nil, err
	}
	rows, err := g.connectionRows(ctx, customer)
	if err != nil {
		return nil, worded(err)
	}
	out := &connectionListOut{}
	out.Body.Connections = slices.DeleteFunc(rows, func(row ConnectionRow) bool {
		return in.ServerID != "" && row.ServerID != in.ServerID || in.Status != "" && row.Status != in.Status
	})
	return out, nil
}

func (g *Gateway) revokeConnection(ctx context.Context, caller access.Caller, in *struct {
	ID string `path:"id" maxLength:"64"`
},
) (*connectionOut, error) {
	customer, row, err := g.connection(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	// The address goes first: without its credential a connection is not found
	// again, by whoever asks for the same after a fault.
	if err := g.cfg.Addresses.Drop(ctx, customer, row.ServerID); err != nil {
		return nil, unsure(err, remedyAgain)
	}
	g.doors.known.Remove(row.ID)
	if err := g.cfg.Safe.Drop(ctx, customer, row.ServerID); err != nil {
		return nil, unsure(err, remedyAgain)
	}
	row.Status, row.RevokedAt = "revoked", moment(g.cfg.Now())
	return &connectionOut{Status: http.StatusOK, Body: row}, nil
}

// connection finds a connection of a tenant that the caller reaches.
func (g *Gateway) connection(ctx context.Context, caller access.Caller, id string) (tenant.Tenant, ConnectionRow, error) {
	missing := problem(http.StatusNotFound, CodeNotFound, "there is no such connection")
	owners := []tenant.ID{caller.Key().Tenant}
	if caller.Platform() {
		tag, ok := strings.CutPrefix(id, connectionPrefix)
		if !ok || len(tag) < tagLength {
			return tenant.Tenant{}, ConnectionRow{}, missing
		}
		var err error
		if owners, err = g.cfg.Tenants.Tagged(ctx, tag[:tagLength]); err != nil {
			return tenant.Tenant{}, ConnectionRow{}, worded(err)
		}
	}
	for _, owner := range owners {
		customer, ok, err := g.cfg.Tenants.Lookup(ctx, owner)
		if err != nil {
			return tenant.Tenant{}, ConnectionRow{}, worded(err)
		}
		if !ok || !caller.Reaches(owner, customer.Environment) {
			continue
		}
		rows, err := g.connectionRows(ctx, customer)
		if err != nil {
			return tenant.Tenant{}, ConnectionRow{}, worded(err)
		}
		if at := slices.IndexFunc(rows, func(row ConnectionRow) bool { return row.ID == id }); at >= 0 {
			return customer, rows[at], g.charge(ctx, customer)
		}
	}
	return tenant.Tenant{}, ConnectionRow{}, missing
}

const (
	connectionPrefix = "ca_"
	// tagLength is how long a tenant's tag is.
	tagLength = 8
)

// connectionID follows from what is connected; it begins with the tenant's tag,
// as a session's id does, and for the same reason.
func connectionID(id tenant.ID, server string, env events.Environment) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"feira/connection", string(id), server, string(env)}, "\n")))
	return connectionPrefix + events.TenantTag(id) + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10]))
}

// ConnectionID names a tenant's connection with a server.
func ConnectionID(id tenant.ID, server string, env events.Environment) string {
	return connectionID(id, server, env)
}
