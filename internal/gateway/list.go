package gateway

import (
	"context"
	"net/http"
	"strconv"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

// mostLooked bounds how many sessions one page reads, of whatever status.
const mostLooked = 500

// Roll knows which sessions there are. Implementations are safe for concurrent use.
type Roll interface {
	// Recent lists sessions by their last event before a sequence (0: now), the
	// latest first: of a tenant, or of all where it is empty. older is what to ask
	// before for more; 0 when there is no more.
	Recent(ctx context.Context, tenant events.TenantID, before uint64) (recent []Active, older uint64, err error)
}

// Active is a session with the sequence of its last event.
type Active struct {
	Tenant   events.TenantID
	Session  events.SessionID
	Sequence uint64
}

type listSessionsIn struct {
	Status string `query:"status" enum:"active,closed,error"`
	User   string `query:"user_id" maxLength:"128" doc:"The tenant; those of all that the key reaches where left out."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
	Before string `query:"before" maxLength:"20" pattern:"^[0-9]*$" doc:"next_before of the page before."`
}

// ListedSession is a row of the list.
type ListedSession struct {
	Session

	Calls int `json:"tool_call_count" doc:"tool_calls_count again, for clients that read it here."`
}

type sessionsOut struct {
	Body struct {
		Sessions   []ListedSession `json:"sessions" doc:"The one that something happened in last comes first."`
		Data       []ListedSession `json:"data" doc:"The same again, for clients that read it here."`
		NextBefore *string         `json:"next_before" doc:"Asks for the next page; null when there is none."`
	}
}

func (g *Gateway) listRoutes() {
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/sessions", id: "list-sessions", group: "sessions", summary: "List sessions, the one that something happened in last first",
		scope: access.ScopeSessionsRead, faults: []int{http.StatusNotFound},
	}, g.listSessions)
}

// listSessions reads the broker's own list and each session's log. A session
// that something happens in between two pages moves to the front: it is seen on
// a page that is asked for anew, and never twice in a row of pages.
func (g *Gateway) listSessions(ctx context.Context, caller access.Caller, in *listSessionsIn) (*sessionsOut, error) {
	var owner events.TenantID
	if in.User != "" || !caller.Platform() {
		customer, err := g.customerOf(ctx, caller, in.User)
		if err != nil {
			return nil, err
		}
		owner = customer.ID
	}
	before, err := strconv.ParseUint("0"+in.Before, 10, 64)
	if err != nil {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "is no next_before of this list").at("before")
	}
	recent, next, err := g.cfg.Roll.Recent(ctx, owner, before)
	if err != nil {
		return nil, worded(err)
	}
	out := &sessionsOut{}
	out.Body.Sessions = []ListedSession{}
	for n, one := range recent {
		shown, ok, err := g.listed(ctx, caller, one, before)
		if err != nil {
			return nil, err
		}
		if ok && (in.Status == "" || in.Status == shown.Status) {
			out.Body.Sessions = append(out.Body.Sessions, shown)
		}
		if n+1 < len(recent) && (len(out.Body.Sessions) == in.Limit || n+1 == mostLooked) {
			next = one.Sequence
			break
		}
	}
	out.Body.Data = out.Body.Sessions
	if next > 0 {
		text := strconv.FormatUint(next, 10)
		out.Body.NextBefore = &text
	}
	return out, nil
}

// listed is a session's row; false for one that is not the caller's to see, or
// has moved to the front meanwhile.
func (g *Gateway) listed(ctx context.Context, caller access.Caller, one Active, before uint64) (ListedSession, bool, error) {
	if own := caller.Key().Tenant; own != "" && own != one.Tenant {
		return ListedSession{}, false, nil
	}
	found, err := g.sessions.load(ctx, one.Tenant, one.Session)
	if err != nil {
		return ListedSession{}, false, worded(err)
	}
	if !found.exists() || before > 0 && found.sequence >= before || !caller.Reaches(one.Tenant, found.opened.Environment) {
		return ListedSession{}, false, nil
	}
	row := ListedSession{Session: g.show(ctx, caller, found)}
	row.Calls = row.ToolCalls
	return row, true, nil
}
