package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/mock"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// Bounds of a new session.
const (
	maxServers       = 20
	maxMetadata      = 64
	maxMetadataKey   = 64
	maxMetadataValue = 512
)

// Session is a session as clients know it.
type Session struct {
	ID        string            `json:"id" doc:"Names the session; the tenant's id is not needed beside it."`
	OrgID     string            `json:"org_id"`
	ProjectID string            `json:"project_id"`
	UserID    string            `json:"user_id" doc:"The tenant that the session is of."`
	Servers   []string          `json:"servers" doc:"What the session may reach, fixed when it was opened."`
	Status    string            `json:"status" enum:"active,closed,error"`
	Metadata  map[string]string `json:"metadata,omitempty" doc:"Stamped on every usage row of the session."`
	CreatedAt Moment            `json:"created_at"`
	ClosedAt  *Moment           `json:"closed_at" nullable:"true"`
	ExpiresAt *Moment           `json:"expires_at,omitempty" nullable:"true" doc:"When the session ends if nothing happens in it until then."`
	ToolCalls int               `json:"tool_calls_count"`
}

type createSession struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"The same key and body give the same session."`
	Body struct {
		_        struct{}          `json:"-" additionalProperties:"true"`
		Servers  []string          `json:"servers,omitempty" maxItems:"20" doc:"Servers that the session may reach; those of the tenant where left out."`
		UserID   string            `json:"user_id,omitempty" maxLength:"128" doc:"The tenant; a tenant's own key needs none."`
		Metadata map[string]string `json:"metadata,omitempty" doc:"Stamped on every usage row; tenant_id is the user_id unless it is given."`
		Mocks    json.RawMessage   `json:"mocks,omitempty" doc:"Answers that the session's tools give, in test mode."`
	}
}

// SessionPath is the part of a path that names a session.
type SessionPath struct {
	ID string `path:"id" doc:"The session's id."`
}

type sessionAnswer struct {
	Status int
	Body   Session
}

func (g *Gateway) sessionRoutes() {
	const group = "sessions"
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/sessions", id: "create-session", summary: "Open a session", group: group,
		scope: access.ScopeSessionsWrite, status: http.StatusCreated, logged: true, faults: []int{http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusNotImplemented},
	}, g.createSession)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/sessions/{id}", id: "get-session", summary: "Show a session", group: group,
		scope: access.ScopeSessionsRead, faults: []int{http.StatusNotFound},
	}, g.getSession)
	serve(g, endpoint{
		method: http.MethodDelete, path: "/v1/sessions/{id}", id: "close-session", summary: "Close a session", group: group,
		scope: access.ScopeSessionsWrite, faults: []int{http.StatusNotFound},
	}, g.closeSession)
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/sessions/{id}/close", id: "close-session-post", summary: "Close a session", group: group,
		scope: access.ScopeSessionsWrite, faults: []int{http.StatusNotFound},
	}, g.closeSession)
}

func (g *Gateway) createSession(ctx context.Context, caller access.Caller, in *createSession) (*sessionAnswer, error) {
	customer, err := g.welcomed(ctx, caller, in.Body.UserID)
	if err != nil {
		return nil, err
	}
	opened := &events.SessionOpened{
		Servers: in.Body.Servers, Environment: customer.Environment, Routes: customer.Routes.Named(), User: in.Body.UserID,
		IdleSeconds: int(g.cfg.IdleTimeout / time.Second),
		Metadata:    map[string]string{"tenant_id": string(customer.ID)},
	}
	if opened.Servers == nil {
		opened.Servers = customer.Servers
	}
	if err := checkSession(opened.Servers, in.Body.Metadata); err != nil {
		return nil, err
	}
	if len(in.Body.Mocks) > 0 {
		mocks, err := mock.Gate{TestMode: g.cfg.TestMode}.Admit(in.Body.Mocks, customer.Environment)
		if err != nil {
			return nil, mocksRefused(err)
		}
		opened.Mocks = mocks.Raw()
	}
	maps.Copy(opened.Metadata, customer.Metadata)
	maps.Copy(opened.Metadata, in.Body.Metadata)
	id, err := newSession(customer.ID, caller, in.Key)
	if err != nil {
		return nil, err
	}
	return g.openSession(ctx, caller, id, customer, opened)
}

// openSession writes a session's first fact. Where the id follows from the
// client's key it may be there already: the log is what remembers the key.
func (g *Gateway) openSession(ctx context.Context, caller access.Caller, id events.SessionID, customer tenant.Tenant, opened *events.SessionOpened) (*sessionAnswer, error) {
	_, err := g.cfg.Log.Append(ctx, session.Entry{Envelope: g.envelope(customer.ID, id, session.OpenedID), Event: opened})
	if err != nil && !overtaken(err) {
		return nil, unsure(fmt.Errorf("opening session %s: %w", id, err), remedySession)
	}
	stored, err := g.sessions.load(ctx, customer.ID, id)
	if err != nil {
		return nil, unsure(err, remedySession)
	}
	if !stored.exists() {
		return nil, unsure(fmt.Errorf("opening session %s: %w", id, ErrUnavailable), remedySession)
	}
	if !slices.Equal(stored.opened.Servers, opened.Servers) || !maps.Equal(stored.opened.Metadata, opened.Metadata) || stored.opened.User != opened.User ||
		!bytes.Equal(stored.opened.Mocks, opened.Mocks) {
		return nil, keyConflict()
	}
	return &sessionAnswer{Status: http.StatusCreated, Body: g.show(ctx, caller, stored)}, nil
}

func newSession(id tenant.ID, caller access.Caller, key string) (events.SessionID, error) {
	var random [10]byte
	if key == "" {
		_, err := rand.Read(random[:])
		return events.NewSession(id, random), err
	}
	sum := sha256.Sum256([]byte("feira/idempotency/session\n" + string(caller.Key().ID) + "\n" + key))
	copy(random[:], sum[:])
	return events.NewSession(id, random), nil
}

// customerOf is the tenant that a caller speaks for in a list's parameter.
func (g *Gateway) customerOf(ctx context.Context, caller access.Caller, user string) (tenant.Tenant, error) {
	customer, err := g.customer(ctx, caller, user)
	if made, ok := errors.AsType[*APIError](err); ok {
		return customer, made.at(strings.TrimPrefix(made.Field, "/"))
	}
	return customer, err
}

// customer is the tenant that a caller speaks for, as a body names it.
func (g *Gateway) customer(ctx context.Context, caller access.Caller, user string) (tenant.Tenant, error) {
	missing := problem(http.StatusNotFound, CodeTenantNotFound, "there is no such tenant").at("/user_id")
	id := tenant.ID(user)
	switch own := caller.Key().Tenant; {
	case own != "" && user != "" && id != own:
		return tenant.Tenant{}, missing
	case own != "":
		id = own
	case user == "":
		return tenant.Tenant{}, problem(http.StatusBadRequest, CodeInvalidRequest, "a platform key needs user_id, which names the tenant").at("/user_id")
	}
	if _, err := events.ParseTenantID(string(id)); err != nil {
		return tenant.Tenant{}, missing
	}
	customer, ok, err := g.cfg.Tenants.Lookup(ctx, id)
	if err != nil {
		return tenant.Tenant{}, worded(fmt.Errorf("looking up tenant %s: %w", id, err))
	}
	if !ok || !caller.Reaches(id, customer.Environment) {
		return tenant.Tenant{}, missing
	}
	return customer, g.charge(ctx, customer)
}

var serverPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

func checkSession(servers []string, metadata map[string]string) error {
	if len(servers) > maxServers {
		return problem(http.StatusBadRequest, CodeInvalidRequest, "at most %d servers are allowed", maxServers).at("/servers")
	}
	for i, server := range servers {
		if !serverPattern.MatchString(server) || slices.Contains(servers[:i], server) {
			return problem(http.StatusBadRequest, CodeInvalidRequest, "is no server's id, or is there twice").at(fmt.Sprintf("/servers/%d", i))
		}
	}
	if len(metadata) > maxMetadata {
		return problem(http.StatusBadRequest, CodeInvalidRequest, "at most %d entries are allowed", maxMetadata).at("/metadata")
	}
	for key, value := range metadata {
		if key == "" || len(key) > maxMetadataKey || len(value) > maxMetadataValue {
			return problem(http.StatusBadRequest, CodeInvalidRequest,
				"keys have 1 to %d bytes, values at most %d", maxMetadataKey, maxMetadataValue).at("/metadata")
		}
		if strings.ContainsRune(key+value, 0) {
			return problem(http.StatusBadRequest, CodeInvalidRequest, "neither keys nor values may have a NUL").at("/metadata")
		}
	}
	return nil
}

func (g *Gateway) getSession(ctx context.Context, caller access.Caller, in *SessionPath) (*sessionAnswer, error) {
	found, err := g.session(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	return &sessionAnswer{Status: http.StatusOK, Body: g.show(ctx, caller, found)}, nil
}

func (g *Gateway) closeSession(ctx context.Context, caller access.Caller, in *SessionPath) (*sessionAnswer, error) {
	found, err := g.session(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	if err := g.close(ctx, found, events.ClosedByCaller); err != nil {
		return nil, unsure(err, remedyAgain)
	}
	if found, err = g.sessions.load(ctx, found.tenant, found.id); err != nil {
		return nil, unshown(err, remedyAgain)
	}
	return &sessionAnswer{Status: http.StatusOK, Body: g.show(ctx, caller, found)}, nil
}

// show is what a client sees of a session.
func (g *Gateway) show(ctx context.Context, caller access.Caller, of view) Session {
	shown := Session{
		ID: string(of.id), OrgID: orgID, ProjectID: g.project(ctx, caller), UserID: string(of.tenant), Servers: of.opened.Servers,
		Status: "active", Metadata: of.opened.Metadata, CreatedAt: momentOf(of.created), ToolCalls: of.calls,
	}
	end, ends := of.expires()
	switch {
	case !of.closed.IsZero():
		shown.Status, shown.ClosedAt = "closed", moment(of.closed)
	case ends && !g.cfg.Now().Before(end):
		shown.Status, shown.ClosedAt = "closed", moment(end)
	case ends:
		shown.ExpiresAt = moment(end)
	}
	return shown
}

// What stands for the two levels above a tenant where nothing names them.
const (
	orgID          = "org_feira"
	defaultProject = access.Project("prj_0000000000000000")
)

// project is the compartment that an exchange is in.
func (g *Gateway) project(ctx context.Context, caller access.Caller) string {
	return string(cmp.Or(caller.Project(exchangeOf(ctx).project), defaultProject))
}
