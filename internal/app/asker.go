package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/internal/webhook"
	"github.com/feira-dev/feira/workers/webhooks"
)

// asker asks providers by their tools, in the tenant's lane and with the
// tenant's credential.
type asker struct{ client *provider.Client }

// Ask implements [webhooks.Asker].
func (a asker) Ask(ctx context.Context, customer tenant.Tenant, question webhook.Question) (string, error) {
	if !slices.Contains(customer.Servers, question.Server) {
		return "", fmt.Errorf("%w: the tenant has no server %s", webhooks.ErrNoAnswer, question.Server)
	}
	ctx = context.WithValue(ctx, purposeKey{}, vault.Purpose{Why: "confirmation of a webhook", Tool: question.Tool})
	call := agent.Call{
		Tenant: customer.ID, Environment: customer.Environment, Server: question.Server, Tool: question.Tool, Arguments: question.Arguments,
		Reach: agent.Reach{Tenant: customer, Environment: customer.Environment, Servers: []string{question.Server}, Opened: []string{question.Server}},
	}
	if safety, known := a.client.Safety(ctx, call.Reach, call.Server, call.Tool); !known || safety != agent.SafetyRead {
		return "", fmt.Errorf("%w: %s has no tool %s that only reads", webhooks.ErrNoAnswer, question.Server, question.Tool)
	}
	result := a.client.Call(ctx, call)
	switch {
	case result.Status == events.ToolOK:
		return result.Output, nil
	case result.Passing:
		return "", fmt.Errorf("asking %s: %s: %s", question.Server, result.Fault.Code, result.Fault.Message)
	default:
		return "", fmt.Errorf("%w: %s: %s", webhooks.ErrNoAnswer, result.Fault.Code, result.Fault.Message)
	}
}
