package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// MCP says what servers of the Model Context Protocol tenants may attach beside
// those that are public and encrypted.
type MCP struct {
	// PrivateOrigins are reached though they are plain HTTP, on any port, on
	// loopback or in a private network: http://10.1.2.3:8080. Defaults to none.
	PrivateOrigins []string `name:"private-origins" help:"Origins of MCP servers that may be plain HTTP or private, as http://HOST:PORT." env:"FEIRA_MCP_PRIVATE_ORIGINS"`
	// Commands are those that workers may start for a tenant that attaches them:
	// the whole path of an executable, with any arguments, or with those that
	// follow it and any after them. Whoever may write tenants may run these.
	// Defaults to none.
	Commands []string `name:"commands" help:"Commands of MCP servers that workers may start, separated by semicolons." env:"FEIRA_MCP_COMMANDS" sep:";"`
}

func (m MCP) faults() faults {
	var faults faults
	for i, text := range m.PrivateOrigins {
		field := fmt.Sprintf("private_origins[%d]", i)
		err := checkURL(text, "http", "https")
		if parsed, parseErr := url.Parse(text); err == nil && parseErr == nil && strings.Trim(parsed.Path, "/") != "" {
			err = errors.New("has something after the host and port")
		}
		faults.add(field, err)
	}
	for i, text := range m.Commands {
		if !strings.HasPrefix(strings.TrimSpace(text), "/") {
			faults.add(fmt.Sprintf("commands[%d]", i), errors.New("does not begin with the whole path of an executable"))
		}
	}
	return faults
}
