package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/usage"
)

// UsageCall is one tool call as it is billed.
type UsageCall struct {
	ID         string            `json:"id"`
	SessionID  string            `json:"session_id"`
	ServerID   string            `json:"server_id"`
	ToolName   string            `json:"tool_name"`
	Status     string            `json:"status" enum:"success,error"`
	Outcome    events.ToolStatus `json:"outcome" enum:"ok,error,refused,unknown"`
	Billable   bool              `json:"billable"`
	DurationMS int64             `json:"duration_ms"`
	CalledAt   Moment            `json:"called_at"`
	Metadata   map[string]string `json:"metadata"`
}

// UsagePeriod is a time in which something was used, its end left out.
type UsagePeriod struct {
	From Moment `json:"from"`
	To   Moment `json:"to"`
}

type usageIn struct {
	From    time.Time `query:"from" doc:"RFC 3339; the start of the current month where left out."`
	To      time.Time `query:"to" doc:"RFC 3339; now where left out."`
	Tenant  string    `query:"tenant_id" maxLength:"64"`
	Session string    `query:"session_id" maxLength:"128"`
	Server  string    `query:"server" maxLength:"256"`
	Tool    string    `query:"tool" maxLength:"256"`
	Status  string    `query:"status" enum:"success,error"`
	GroupBy string    `query:"group_by" maxLength:"256" doc:"Count calls by at most three of tenant, server, tool, day and metadata.KEY, separated by commas: groups, beside the page."`
	Accept  string    `header:"Accept" doc:"application/json, or text/csv: the groups, or else the calls of the page, with its next_cursor in X-Next-Cursor."`
	Cursor  string    `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
	Limit   int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// UsagePage is a page of calls, with counts of all calls where they were asked for.
type UsagePage struct {
	ToolCalls  []UsageCall    `json:"tool_calls"`
	Total      int            `json:"total" doc:"Calls on this page."`
	ByTenant   map[string]int `json:"by_tenant" doc:"Calls on this page, by metadata.tenant_id."`
	Period     UsagePeriod    `json:"period"`
	NextCursor *string        `json:"next_cursor"`
	Groups     []UsageGroup   `json:"groups,omitzero" doc:"Of all calls that the filter chooses, where group_by asks for them."`
}

type usageOut struct {
	ContentType string `header:"Content-Type"`
	NextCursor  string `header:"X-Next-Cursor"`
	Body        any
}

func (g *Gateway) usageRoutes() {
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/usage", id: "usage", group: "billing", summary: "List what was used, to bill from",
		scope: access.ScopeUsageRead, faults: []int{http.StatusNotFound}, media: []string{"text/csv"}, answer: UsagePage{},
	}, g.usage)
}

func (g *Gateway) usage(ctx context.Context, caller access.Caller, in *usageIn) (*usageOut, error) {
	filter := usage.ToolCallFilter{
		Tenant: events.TenantID(in.Tenant), Environment: caller.Key().Environment, Cursor: in.Cursor, Limit: in.Limit, Period: g.period(in),
		Session: events.SessionID(in.Session), Server: in.Server, Tool: in.Tool, Outcome: usage.CallOutcome(in.Status),
	}
	if own := caller.Key().Tenant; own != "" {
		if filter.Tenant != "" && filter.Tenant != own {
			return nil, problem(http.StatusNotFound, CodeTenantNotFound, "there is no such tenant").at("tenant_id")
		}
		filter.Tenant = own
	}
	if !filter.Period.From.Before(filter.Period.To) {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "from is not before to").at("from")
	}
	by, err := grouping(in.GroupBy)
	if err != nil {
		return nil, err
	}
	page, err := g.cfg.Books.ToolCalls(ctx, filter)
	if errors.Is(err, usage.ErrInvalidCursor) {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "is no cursor of this list").at("cursor")
	}
	if err != nil {
		return nil, worded(err)
	}
	shown := showPage(page, filter.Period)
	if by != nil {
		sums, err := g.cfg.Books.CallSums(ctx, filter, by)
		if err != nil {
			return nil, worded(err)
		}
		shown.Groups = usageGroups(sums)
	}
	if !strings.Contains(in.Accept, "text/csv") {
		return &usageOut{ContentType: "application/json", Body: shown}, nil
	}
	text, err := shown.csv()
	return &usageOut{ContentType: "text/csv; charset=utf-8", NextCursor: page.Next, Body: text}, err
}

func showPage(page usage.ToolCallPage, period usage.Period) UsagePage {
	shown := UsagePage{
		ToolCalls: []UsageCall{}, ByTenant: map[string]int{}, Total: len(page.Calls), Period: UsagePeriod{From: momentOf(period.From), To: momentOf(period.To)},
	}
	for _, call := range page.Calls {
		shown.ToolCalls = append(shown.ToolCalls, usageCall(call))
		shown.ByTenant[call.Metadata["tenant_id"]]++
	}
	if page.Next != "" {
		shown.NextCursor = &page.Next
	}
	return shown
}

func (g *Gateway) period(in *usageIn) usage.Period {
	now := g.cfg.Now().UTC()
	period := usage.Period{From: in.From.UTC(), To: in.To.UTC()}
	if in.From.IsZero() {
		period.From = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	if in.To.IsZero() {
		period.To = now.Add(time.Second) // what was called this very moment is in
	}
	return period
}

func usageCall(call usage.ToolCall) UsageCall {
	status := "success"
	if call.Status != events.ToolOK {
		status = "error"
	}
	return UsageCall{
		ID: usageID(call), SessionID: string(call.Session), ServerID: call.Server, ToolName: call.Tool, Status: status, Outcome: call.Status,
		Billable: call.Billable, DurationMS: call.Duration.Milliseconds(), CalledAt: momentOf(call.CalledAt), Metadata: call.Metadata,
	}
}

// usageID is the id of a call as its own answer gave it; that of the event where
// somebody else counted it.
func usageID(call usage.ToolCall) string {
	rest, found := strings.CutPrefix(call.ID, string(call.Request)+"/tool/")
	iteration, index, whole := strings.Cut(rest, ".")
	first, badIteration := strconv.Atoi(iteration)
	second, badIndex := strconv.Atoi(index)
	if !found || !whole || badIteration != nil || badIndex != nil {
		return call.ID
	}
	return string(events.ToolCallPlace{Session: call.Session, Request: call.Request, Iteration: first, Index: second}.ID())
}
