package commerce

import (
	"context"
	"strings"

	"github.com/feira-dev/feira/internal/agent"
)

// Pages of codespar_list_tools.
const (
	listDefault = 50
	listMost    = 100
)

// maxLine is how much of a tool's description its line has, in bytes.
const maxLine = 120

const listToolsAbout = "List the tools of this session, each with a line on what it does. Where there are more than can be offered at once, those that are listed are offered from then on."

const listToolsSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "server": {"type": "string", "minLength": 1, "maxLength": 64, "description": "Those of one server alone"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "50 unless told otherwise"},
    "offset": {"type": "integer", "minimum": 0, "maximum": 100000}
  }
}`

type listing struct {
	Server string `json:"server"`
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
}

type listed struct {
	Tools      []line `json:"tools"`
	Total      int    `json:"total"`
	NextOffset *int   `json:"next_offset,omitempty"`
}

type line struct {
	Name        string `json:"name"`
	Server      string `json:"server"`
	Description string `json:"description"`
}

func (m *Market) listTools(ctx context.Context, r *run) (string, error) {
	in := listing{Limit: listDefault}
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	var all []line
	for _, tool := range m.Tools(ctx, r.call.Reach) {
		server, _, ok := agent.SplitTool(tool.Name)
		if ok && (in.Server == "" || in.Server == server) {
			all = append(all, line{Name: tool.Name, Server: server, Description: brief(tool.Description)})
		}
	}
	page := listed{Tools: []line{}, Total: len(all)}
	first := min(in.Offset, len(all))
	last := min(first+min(in.Limit, listMost), len(all))
	for {
		page.Tools, page.NextOffset = append(page.Tools[:0], all[first:last]...), nil
		if last < len(all) {
			page.NextOffset = &last
		}
		text, err := bounded(page)
		if err == nil || last == first {
			return text, err
		}
		last = first + (last-first)/2
	}
}

// brief is a description's first sentence, on one line.
func brief(description string) string {
	text := strings.Join(strings.Fields(description), " ")
	if end := strings.Index(text, ". "); end >= 0 {
		text = text[:end+1]
	}
	if len(text) > maxLine {
		text = clip(text, maxLine) + "…"
	}
	return text
}
