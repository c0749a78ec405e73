package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/argument"
	"github.com/feira-dev/feira/internal/hostile"
)

// Bounds of what is taken from a server's list.
const (
	maxTools       = 128
	maxPages       = 16
	maxName        = 64 // of server__tool, by what models take
	maxDescription = 4096
	maxSchema      = 16 << 10
	maxListBytes   = 128 << 10 // descriptions and schemas together
	maxLeftOut     = 5         // told in a log line
)

// tool is a server's tool made ready to be called; it does not change.
type tool struct {
	name   string
	safety agent.Safety
	// schema is nil when arguments cannot be checked in bounded time: then the
	// server alone does it.
	schema *jsonschema.Schema
	// returns is what the server says of its structured answers, nil when it says
	// nothing, or nothing that can be held against one in bounded time.
	returns *jsonschema.Schema
}

// toolset is a server's list of tools; it does not change.
type toolset struct {
	byName map[string]*tool
	shown  []agent.Tool
	// asOf is the count of changes before it was asked for.
	asOf uint64
}

// fetch asks a server for its tools.
func (c *Client) fetch(ctx context.Context, to target) (*toolset, *agent.Result) {
	to, fault := c.authorised(ctx, to)
	if fault != nil {
		return nil, &agent.Result{Status: events.ToolRefused, Fault: fault}
	}
	open, release, err := c.pool.acquire(ctx, to)
	if err != nil {
		failed := c.unopened(ctx, to, err)
		return nil, &failed
	}
	defer release()
	asOf := c.lists.changes(to)
	offered, err := c.pages(ctx, open)
	if err != nil {
		c.config.Logger.WarnContext(ctx, "an MCP server does not tell its tools",
			"tenant", string(to.key.Tenant), "server", to.key.Server, "error", said(to.scrubber(), err.Error()))
		failed := failure(events.FaultProviderError, to.key.Server+" does not tell its tools; nothing was sent")
		return nil, &failed
	}
	made, leftOut := assemble(to, offered)
	made.asOf = asOf
	if len(leftOut) > 0 {
		c.config.Logger.WarnContext(ctx, "tools of an MCP server are left out", "tenant", string(to.key.Tenant), "server", to.key.Server,
			"count", len(leftOut), "first", strings.Join(leftOut[:min(len(leftOut), maxLeftOut)], "; "))
	}
	return made, nil
}

var errPages = fmt.Errorf("the list has more than %d pages", maxPages)

func (c *Client) pages(ctx context.Context, open *session) ([]*sdk.Tool, error) {
	var tools []*sdk.Tool
	params := &sdk.ListToolsParams{}
	for range maxPages {
		page, err := guarded(ctx, c, open, func(ctx context.Context) (*sdk.ListToolsResult, error) { return open.speaker.ListTools(ctx, params) })
		if err != nil {
			return nil, err
		}
		tools = append(tools, page.Tools...)
		if page.NextCursor == "" || len(tools) > maxTools {
			return tools, nil
		}
		params = &sdk.ListToolsParams{Cursor: page.NextCursor}
	}
	return nil, errPages
}

// assemble makes a list ready, and says of what is left out why.
func assemble(to target, offered []*sdk.Tool) (*toolset, []string) {
	made := &toolset{byName: map[string]*tool{}}
	var leftOut []string
	size := 0
	for i, from := range offered {
		ready, shown, err := prepare(to, from)
		switch {
		case i >= maxTools:
			err = fmt.Errorf("it is beyond the first %d", maxTools)
		case err == nil && made.byName[ready.name] != nil:
			err = errors.New("it is there twice")
		case err == nil && size+len(shown.Description)+len(shown.Parameters) > maxListBytes:
			err = fmt.Errorf("the list has over %d bytes", maxListBytes)
		}
		if err != nil {
			leftOut = append(leftOut, strings.ReplaceAll(hostile.Shown(from.Name), "\n", " ")+": "+err.Error())
			continue
		}
		size += len(shown.Description) + len(shown.Parameters)
		made.byName[ready.name] = ready
		made.shown = append(made.shown, shown)
	}
	return made, leftOut
}

// prepare checks a tool and makes it fit for a model.
func prepare(to target, from *sdk.Tool) (*tool, agent.Tool, error) {
	full := agent.ToolName(to.key.Server, from.Name)
	server, name, ok := agent.SplitTool(full)
	if !ok || server != to.key.Server || name != from.Name || len(full) > maxName || strings.ContainsFunc(full, unfit) {
		return nil, agent.Tool{}, fmt.Errorf("with its server's, the name has not at most %d letters, digits, - and _", maxName)
	}
	parameters, err := parametersOf(to, from.InputSchema)
	if err != nil {
		return nil, agent.Tool{}, err
	}
	made := &tool{name: name, safety: safetyOf(to, from.Annotations)}
	if made.schema, err = compile(parameters); err != nil {
		return nil, agent.Tool{}, err
	}
	made.returns = returnsOf(from.OutputSchema)
	// A stranger's words stand among Feira's own here, so they are named as such.
	description := to.scrubber().Scrub(hostile.Clean(from.Description))
	if description != "" {
		description = hostile.Clip("As its server "+to.key.Server+" describes it: "+description, maxDescription)
	}
	return made, agent.Tool{Name: full, Description: description, Parameters: parameters}, nil
}

func unfit(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
}

// parametersOf is a tool's schema as models take it, clean.
func parametersOf(to target, from any) (json.RawMessage, error) {
	if from == nil {
		from = map[string]any{}
	}
	schema, ok := to.scrubber().Document(from).(map[string]any)
	if !ok {
		return nil, errors.New("its schema is no object")
	}
	if kind, given := schema["type"]; given && kind != any("object") {
		return nil, errors.New("its schema is not that of an object")
	}
	schema["type"] = "object"
	text, err := json.Marshal(schema)
	if err != nil || len(text) > maxSchema {
		return nil, fmt.Errorf("its schema has over %d bytes", maxSchema)
	}
	return text, nil
}

// returnsOf is the schema of a tool's structured answers. One that cannot be
// read keeps no tool from being called.
func returnsOf(from any) *jsonschema.Schema {
	text, err := json.Marshal(from)
	if from == nil || err != nil || len(text) > maxSchema {
		return nil
	}
	schema, err := argument.CompileForeign(text)
	if err != nil {
		return nil
	}
	return schema
}

// compile makes a schema ready to check with: none where that could take for ever.
func compile(parameters json.RawMessage) (*jsonschema.Schema, error) {
	schema, err := argument.CompileForeign(parameters)
	switch {
	case errors.Is(err, argument.ErrUnbounded):
		return nil, nil //nolint:nilnil // there is nothing to check with
	case err != nil:
		return nil, errors.New("its schema cannot be read")
	default:
		return schema, nil
	}
}

// safetyOf is what a second call would do, by the server's word where that counts.
func safetyOf(to target, hints *sdk.ToolAnnotations) agent.Safety {
	switch {
	case !to.attached.TrustAnnotations || hints == nil:
		return agent.SafetyUnsafe
	case hints.ReadOnlyHint:
		return agent.SafetyRead
	case hints.IdempotentHint:
		return agent.SafetyIdempotent
	default:
		return agent.SafetyUnsafe
	}
}

// named are the tools that there are, for a message.
func (s *toolset) named() string {
	names := make([]string, 0, len(s.byName))
	for name := range s.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	const most = 20
	if len(names) > most {
		names = append(names[:most], "...")
	}
	return strings.Join(names, ", ")
}
