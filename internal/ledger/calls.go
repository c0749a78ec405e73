package ledger

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// callsCursor is the place of the last call of a page. It holds nothing that
// the page did not show.
type callsCursor struct {
	OccurredAt int64  `json:"t"`
	Tenant     string `json:"n"`
	Source     string `json:"s"`
	Event      string `json:"e"`
}

func (c callsCursor) text() (string, error) {
	data, err := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(data), err
}

func parseCallsCursor(text string) (callsCursor, error) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return callsCursor{}, fmt.Errorf("%w: %w", usage.ErrInvalidCursor, err)
	}
	var cursor callsCursor
	if err := json.Unmarshal(data, &cursor); err != nil {
		return callsCursor{}, fmt.Errorf("%w: %w", usage.ErrInvalidCursor, err)
	}
	return cursor, nil
}

// conditions gathers the parts of a WHERE clause with their arguments.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// ToolCalls is a page of tool calls, the newest first. Calls that arrive while
// somebody pages do not shift what follows.
func (l *Ledger) ToolCalls(ctx context.Context, filter usage.ToolCallFilter) (usage.ToolCallPage, error) {
	where, err := callConditions(filter)
	if err != nil {
		return usage.ToolCallPage{}, fmt.Errorf("listing tool calls: %w", err)
	}
	limit := pageSize(filter.Limit)
	statement := l.dialect.bind("SELECT tenant_id, source, event_id, session_id, request_id, server, tool, outcome, billable, environment," +
		" attempts, duration_ms, metadata, occurred_at FROM usage_rows WHERE " + strings.Join(where.parts, " AND ") +
		" ORDER BY occurred_at DESC, tenant_id DESC, source DESC, event_id DESC LIMIT ?")
	page := usage.ToolCallPage{}
	var last callsCursor
	err = l.list(ctx, filter.Tenant, statement, append(where.args, limit+1), func(found scanner) error {
		if len(page.Calls) == limit { // one more than the page holds: another page follows
			page.Next, err = last.text()
			return err
		}
		call, cursor, err := scanCall(found)
		page.Calls, last = append(page.Calls, call), cursor
		return err
	})
	if err != nil {
		return usage.ToolCallPage{}, fmt.Errorf("listing tool calls: %w", err)
	}
	return page, nil
}

func callConditions(filter usage.ToolCallFilter) (conditions, error) {
	var where conditions
	where.add("meter = '" + string(events.MeterToolCall) + "'") // a literal, so that the index of calls serves
	where.equal("tenant_id", string(filter.Tenant))
	where.equal("session_id", string(filter.Session))
	where.equal("server", filter.Server)
	where.equal("tool", filter.Tool)
	where.equal("environment", string(filter.Environment))
	switch filter.Outcome {
	case usage.CallSuccess:
		where.add("outcome = ?", string(events.ToolOK))
	case usage.CallError:
		where.add("outcome <> ?", string(events.ToolOK))
	}
	if !filter.Period.IsZero() {
		where.add("occurred_at >= ? AND occurred_at < ?", nanos(filter.Period.From), nanos(filter.Period.To))
	}
	if filter.Cursor != "" {
		after, err := parseCallsCursor(filter.Cursor)
		if err != nil {
			return where, err
		}
		where.add("occurred_at <= ?", after.OccurredAt) // an index knows this one
		where.add("(occurred_at, tenant_id, source, event_id) < (?, ?, ?, ?)", after.OccurredAt, after.Tenant, after.Source, after.Event)
	}
	return where, nil
}

func scanCall(found scanner) (usage.ToolCall, callsCursor, error) {
	var call usage.ToolCall
	var cursor callsCursor
	var billable, duration int64
	var metadata []byte
	err := found.Scan(&call.Tenant, &cursor.Source, &call.ID, &call.Session, &call.Request, &call.Server, &call.Tool, &call.Status,
		&billable, &call.Environment, &call.Attempts, &duration, &metadata, &cursor.OccurredAt)
	if err != nil {
		return usage.ToolCall{}, callsCursor{}, err
	}
	if err := json.Unmarshal(metadata, &call.Metadata); err != nil {
		return usage.ToolCall{}, callsCursor{}, fmt.Errorf("reading metadata: %w", err)
	}
	call.Billable = billable != 0
	call.Duration = time.Duration(duration) * time.Millisecond
	call.CalledAt = fromNanos(cursor.OccurredAt)
	cursor.Tenant, cursor.Event = string(call.Tenant), call.ID
	return call, cursor, nil
}
