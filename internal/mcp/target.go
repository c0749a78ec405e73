package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
	"github.com/feira-dev/feira/internal/tenant"
)

// fingerprint is equal for what is reached in the same way.
type fingerprint [sha256.Size]byte

// target is a server as one tenant has it in one environment.
type target struct {
	key      egress.LaneKey
	attached tenant.Attachment
	endpoint tenant.Endpoint
	// token is the credential in clear; empty when there is none.
	token string
	// place is what the attachment says, without the credential.
	place fingerprint
}

// target finds a server within reach.
func (c *Client) target(reach agent.Reach, server string) (target, *events.ToolFault) {
	attached, ok := reach.Tenant.Attachment(server)
	if !ok || !reach.Has(server) {
		return target{}, &events.ToolFault{Code: events.FaultServerNotInSession, Message: "there is no MCP server " + hostile.Shown(server) + " in this session"}
	}
	endpoint, ok := attached.Endpoint(reach.Environment)
	if !ok {
		return target{}, &events.ToolFault{Code: events.FaultNoCredential, Message: server + " has no " + string(reach.Environment) + " environment"}
	}
	found := target{
		key:      egress.LaneKey{Tenant: reach.Tenant.ID, Server: server, Environment: reach.Environment},
		attached: attached, endpoint: endpoint,
	}
	text, err := json.Marshal([]any{endpoint, attached.Header, attached.Variable, attached.TrustAnnotations})
	if err != nil {
		return target{}, &events.ToolFault{Code: events.FaultProviderError, Message: server + " is attached in a way that cannot be read"}
	}
	found.place = sha256.Sum256(text)
	return found, nil
}

// authorised opens the credential for a target.
func (c *Client) authorised(ctx context.Context, to target) (target, *events.ToolFault) {
	server := to.key.Server
	credential, err := c.config.Credentials.Open(ctx, to.key.Tenant, server, to.key.Environment)
	none := errors.Is(err, ErrNoCredential)
	if err != nil && !none {
		c.config.Logger.ErrorContext(ctx, "credential cannot be opened",
			"tenant", string(to.key.Tenant), "server", server, "error", hostile.ScrubForms(err.Error()))
		return to, &events.ToolFault{Code: events.FaultNoCredential, Message: "the credential for " + server + " cannot be opened"}
	}
	if !none {
		to.token, _ = credential.Reveal(TokenField)
	}
	switch {
	case hostile.HasControl(to.token):
		return to, &events.ToolFault{Code: events.FaultNoCredential, Message: server + ": the credential holds a control character"}
	case to.token == "" && to.attached.RequireCredential:
		return to, &events.ToolFault{Code: events.FaultNoCredential, Message: "there is no " + string(to.key.Environment) + " credential for " + server}
	}
	return to, nil
}

// same reports whether a session that was opened for one serves the other.
func (t target) same(other target) bool { return t.place == other.place && t.token == other.token }

// scrubber removes the target's secret.
func (t target) scrubber() *egress.Scrubber {
	scrubber := &egress.Scrubber{}
	scrubber.Add(t.token)
	return scrubber
}
