package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/feira-dev/feira/internal/config"
)

// sessionCommand is "feira session": the HTTP API of a gateway, as any client of
// it has it.
type sessionCommand struct {
	gatewayFlags

	Create  sessionCreate  `cmd:"" help:"Open a session and print its id."`
	List    sessionList    `cmd:"" help:"List sessions, the latest first."`
	Show    sessionShow    `cmd:"" help:"Show a session."`
	Logs    sessionLogs    `cmd:"" help:"List the tool calls of a session."`
	Tools   sessionTools   `cmd:"" help:"List the servers and tools of a session."`
	Execute sessionExecute `cmd:"" help:"Call one tool and print what it answers."`
	Send    sessionSend    `cmd:"" help:"Tell the session's agent something and print its answer."`
	Close   sessionClose   `cmd:"" help:"Close a session."`
}

// gatewayFlags say where a gateway is and by which key. The key is a setting of
// the environment: a command line is read by others on the machine.
type gatewayFlags struct {
	URL     string          `help:"Where the gateway is." env:"FEIRA_URL" default:"http://127.0.0.1:8080"`
	Key     config.Redacted `help:"API key, csk_... Better in the variable than here, where others can read it." env:"FEIRA_API_KEY" name:"api-key"`
	Timeout time.Duration   `help:"How long an answer is waited for." default:"6m"`

	once string
}

// AfterApply hands the flags to the command that runs.
func (c *sessionCommand) AfterApply(parsed *kong.Context) error { //nolint:unparam // kong calls it
	parsed.Bind(&c.gatewayFlags)
	return nil
}

// sessionView is what is shown of a session.
type sessionView struct {
	ID        string   `json:"id"`
	UserID    string   `json:"user_id"`
	Servers   []string `json:"servers"`
	Status    string   `json:"status"`
	CreatedAt string   `json:"created_at"`
	Calls     int      `json:"tool_calls_count"`
}

func sessionColumns() []column[sessionView] {
	return []column[sessionView]{
		{"SESSION", func(s sessionView) string { return oneLine(s.ID) }},
		{"TENANT", func(s sessionView) string { return oneLine(s.UserID) }},
		{"STATUS", func(s sessionView) string { return oneLine(s.Status) }},
		{"SERVERS", func(s sessionView) string { return oneLine(strings.Join(s.Servers, " ")) }},
		{"CALLS", func(s sessionView) string { return strconv.Itoa(s.Calls) }},
		{"CREATED", func(s sessionView) string { return oneLine(s.CreatedAt) }},
	}
}

type sessionCreate struct {
	Tenant   string            `help:"Tenant of the session; a tenant's own key needs none."`
	Server   []string          `placeholder:"SERVER" help:"Server that the session may reach; those of the tenant when none is given."`
	Metadata map[string]string `placeholder:"KEY=VALUE" help:"Stamped on each usage row of the session."`
}

// Run implements a command.
func (c *sessionCreate) Run(i *invocation, at *gatewayFlags) error {
	body := map[string]any{}
	if c.Tenant != "" {
		body["user_id"] = c.Tenant
	}
	if len(c.Server) > 0 {
		body["servers"] = c.Server
	}
	if len(c.Metadata) > 0 {
		body["metadata"] = c.Metadata
	}
	var made sessionView
	return i.ask(at, exchange{http.MethodPost, "/v1/sessions", body}, &made, func(w io.Writer) { say(w, "%s", oneLine(made.ID)) })
}

type sessionList struct {
	Tenant string `help:"Only this tenant's; a platform's key has to name one."`
	Status string `help:"Only those: active or closed." enum:",active,closed" default:""`
	Limit  int    `help:"At most so many." default:"50"`
}

// Run implements a command.
func (c *sessionList) Run(i *invocation, at *gatewayFlags) error {
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, value := range map[string]string{"user_id": c.Tenant, "status": c.Status} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var found struct{ Sessions []sessionView }
	return i.ask(at, exchange{http.MethodGet, "/v1/sessions?" + query.Encode(), nil}, &found, func(w io.Writer) {
		writeTable(w, sessionColumns(), found.Sessions)
	})
}

// sessionArg names a session.
type sessionArg struct {
	Session string `arg:"" help:"Session, ses_..."`
}

func (s sessionArg) path(rest string) string {
	return "/v1/sessions/" + url.PathEscape(s.Session) + rest
}

type sessionShow struct{ sessionArg }

// Run implements a command.
func (c *sessionShow) Run(i *invocation, at *gatewayFlags) error {
	return c.one(i, at, http.MethodGet)
}

func (s sessionArg) one(i *invocation, at *gatewayFlags, method string) error {
	var found sessionView
	return i.ask(at, exchange{method, s.path(""), nil}, &found, func(w io.Writer) { writeTable(w, sessionColumns(), []sessionView{found}) })
}

type sessionClose struct{ sessionArg }

// Run implements a command.
func (c *sessionClose) Run(i *invocation, at *gatewayFlags) error {
	return c.one(i, at, http.MethodDelete)
}

type sessionLogs struct{ sessionArg }

// Run implements a command.
func (c *sessionLogs) Run(i *invocation, at *gatewayFlags) error {
	type row struct {
		ID       string  `json:"id"`
		Tool     string  `json:"tool"`
		Status   string  `json:"status"`
		Duration int64   `json:"duration_ms"`
		Code     *string `json:"error_code"`
		CalledAt string  `json:"called_at"`
	}
	var found struct{ Data []row }
	return i.ask(at, exchange{http.MethodGet, c.path("/logs"), nil}, &found, func(w io.Writer) {
		writeTable(w, []column[row]{
			{"CALL", func(r row) string { return oneLine(r.ID) }},
			{"TOOL", func(r row) string { return oneLine(r.Tool) }},
			{"STATUS", func(r row) string {
				if r.Code != nil {
					return oneLine(r.Status + " " + *r.Code)
				}
				return oneLine(r.Status)
			}},
			{"TOOK", func(r row) string { return strconv.FormatInt(r.Duration, 10) + " ms" }},
			{"CALLED", func(r row) string { return oneLine(r.CalledAt) }},
		}, found.Data)
	})
}

type sessionTools struct{ sessionArg }

// Run implements a command.
func (c *sessionTools) Run(i *invocation, at *gatewayFlags) error {
	type tool struct{ Name, Description string }
	var found struct{ Tools []tool }
	return i.ask(at, exchange{http.MethodGet, c.path("/connections"), nil}, &found, func(w io.Writer) {
		writeTable(w, []column[tool]{
			{"TOOL", func(t tool) string { return oneLine(t.Name) }},
			{"WHAT IT DOES", func(t tool) string { return oneLine(t.Description) }},
		}, found.Tools)
	})
}

var errInput = errors.New("input is no JSON")

type sessionExecute struct {
	sessionArg

	Tool  string `arg:"" help:"Tool, server__tool or server/tool."`
	Input string `arg:"" optional:"" help:"Its arguments, a JSON object." default:"{}"`
	Once  string `placeholder:"KEY" help:"Idempotency key: the same again is one call, with one answer."`
}

// Run implements a command.
func (c *sessionExecute) Run(i *invocation, at *gatewayFlags) error {
	if !json.Valid([]byte(c.Input)) {
		return errInput
	}
	at.once = c.Once
	var result struct {
		Success bool
		Data    json.RawMessage
		Error   *string
	}
	body := map[string]any{"tool": c.Tool, "input": json.RawMessage(c.Input)}
	err := i.ask(at, exchange{http.MethodPost, c.path("/execute"), body}, &result, func(w io.Writer) {
		if result.Success {
			say(w, "%s", result.Data)
		}
	})
	if err == nil && !result.Success {
		err = fmt.Errorf("the tool did not succeed: %s", orEmpty(result.Error))
	}
	return err
}

type sessionSend struct {
	sessionArg

	Message string `arg:"" help:"What the agent is told."`
	Once    string `placeholder:"KEY" help:"Idempotency key: the same again is one turn, with one answer."`
}

// Run implements a command.
func (c *sessionSend) Run(i *invocation, at *gatewayFlags) error {
	at.once = c.Once
	var result struct{ Message string }
	return i.ask(at, exchange{http.MethodPost, c.path("/send"), map[string]any{"message": c.Message}}, &result, func(w io.Writer) { say(w, "%s", result.Message) })
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
