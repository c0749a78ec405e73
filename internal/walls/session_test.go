package walls

import (
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// sessionWalls are attempts of a session at what it was not opened with.
func sessionWalls() map[string]attempt {
	const refused, foreign = events.ToolRefused, events.FaultServerNotInSession
	return map[string]attempt{
		"another tenant's server": {
			visit:  func(v *visit) { v.name = "melhor-envio__get_balance" },
			status: refused, code: foreign, says: `server "melhor-envio" is not connected to this session; it has open`,
		},
		"a server of the tenant that the session was not opened with": {
			visit:  func(v *visit) { v.name = "asaas__get_balance" },
			status: refused, code: foreign, says: `server "asaas" is not connected to this session; it has open`,
		},
		"a server of another session of the tenant": {
			visit:  func(v *visit) { v.servers = []string{"asaas"} },
			status: refused, code: foreign, says: `server "open" is not connected to this session; it has asaas`,
		},
		"a server that the tenant has lost since": {
			visit:  func(v *visit) { v.tenant.Servers = []string{"asaas"} },
			status: refused, code: foreign, says: `server "open" is not connected`,
		},
		"a server that the tenant has won since": {
			visit:  func(v *visit) { v.servers = []string{} },
			status: refused, code: foreign, says: `server "open" is not connected to this session; it has none`,
		},
		"a server that nobody has": {
			visit:  func(v *visit) { v.name = "elsewhere__read" },
			status: refused, code: foreign, says: `server "elsewhere" is not connected`,
		},
	}
}

// toolWalls are attempts at tools that are none, at the session's wall and past it.
func toolWalls() map[string]attempt {
	const refused, unknown = events.ToolRefused, events.FaultUnknownTool
	return map[string]attempt{
		"a server that is none, which the tenant is said to have": {
			visit: func(v *visit) {
				v.name, v.servers, v.tenant.Servers = "elsewhere__read", []string{"elsewhere"}, []string{"elsewhere"}
			},
			status: refused, code: unknown, says: `server "elsewhere" has no tool "read"`,
		},
		"a tool that is none": {
			visit:  func(v *visit) { v.name = "open__rob_bank" },
			status: refused, code: unknown, says: `server "open" has no tool "rob_bank"`,
		},
		"another server's tool": {
			visit:  func(v *visit) { v.name = "open__get_balance" },
			status: refused, code: unknown, says: `server "open" has no tool "get_balance"`,
		},
		"a tool of Feira's own that is none": {
			visit:  func(v *visit) { v.name = agent.OwnServer + "_shell" },
			status: refused, code: unknown, says: "codespar_shell",
		},
		"a server that is none, past the session's wall": {
			past:   func(c *agent.Call) { c.Server = "elsewhere" },
			status: refused, code: unknown, says: "there is no tool read at elsewhere",
		},
		"another server's tool, past the session's wall": {
			past:   func(c *agent.Call) { c.Tool = "get_balance" },
			status: refused, code: unknown, says: "get_balance",
		},
	}
}

// nameWalls are names that look like that of a tool which is allowed, "open__read".
func nameWalls() map[string]attempt {
	row := func(name, code, says string) attempt {
		return attempt{visit: func(v *visit) { v.name = name }, status: events.ToolRefused, code: code, says: says}
	}
	const foreign, unknown = events.FaultServerNotInSession, events.FaultUnknownTool
	return map[string]attempt{
		"no name at all":                  row("", unknown, "is not of the form server__tool"),
		"no server":                       row("read", unknown, "is not of the form server__tool"),
		"no tool":                         row("open__", unknown, "is not of the form server__tool"),
		"a separator alone":               row("__", unknown, "is not of the form server__tool"),
		"a server that is empty":          row("__open__read", unknown, "is not of the form server__tool"),
		"a path that climbs":              row("open__x/../read", unknown, `has no tool "x/../read"`),
		"a path that climbs out":          row("open__../asaas__get_balance", unknown, "has no tool"),
		"a path of two servers":           row("open/asaas/get_balance", unknown, "has no tool"),
		"both separators":                 row("asaas/open__read", foreign, `server "asaas"`),
		"a tool behind a tool":            row("open__read__read", unknown, `has no tool "read__read"`),
		"three underscores":               row("open___read", unknown, `has no tool "_read"`),
		"capital letters":                 row("OPEN__READ", foreign, `server "OPEN"`),
		"a space before":                  row(" open__read", foreign, `server " open"`),
		"a space behind":                  row("open__read ", unknown, `has no tool "read "`),
		"a line break":                    row("open__read\nopen__read", unknown, `has no tool "read\nopen__read"`),
		"a byte of zero":                  row("open\x00__read", foreign, `server "open\x00"`),
		"a zero width space":              row("open\u200b__read", foreign, `server "open\u200b"`),
		"a Cyrillic o":                    row("\u043epen__read", foreign, "is not connected"),
		"a full-width e":                  row("op\uff45n__read", foreign, "is not connected"),
		"full-width low lines":            row("open\uff3f\uff3fread", unknown, "is not of the form server__tool"),
		"a division slash":                row("open\u2215read", unknown, "is not of the form server__tool"),
		"letters from right to left":      row("open__\u202edaer", unknown, "has no tool"),
		"an accent of its own":            row("open__re\u0301ad", unknown, "has no tool"),
		"bytes that are no text":          row("open__\xff\xfe", unknown, "has no tool"),
		"percent signs":                   row("open%5F%5Fread", unknown, "is not of the form server__tool"),
		"a wildcard":                      row("*__*", foreign, `server "*"`),
		"ten thousand characters":         row("open__"+strings.Repeat("r", 10_000), unknown, "…"),
		"a server of ten thousand":        row(strings.Repeat("o", 10_000)+"__read", foreign, "…"),
		"the session's server as Feira's": row("codespar_open__read", foreign, `server "codespar_open"`),
	}
}
