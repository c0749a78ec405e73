package main

import (
	"io"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

// webhookCommand is "feira webhook".
type webhookCommand struct {
	Simulate webhookSimulate `cmd:"" help:"Send a webhook to a test tenant's address, signed as the provider signs."`
}

type webhookSimulate struct {
	Server  string          `arg:"" help:"The provider."`
	Event   string          `arg:"" help:"What happened, in the provider's own word, as PAYMENT_RECEIVED."`
	Tenant  events.TenantID `required:"" help:"Whose provider it is."`
	Object  string          `help:"Id of what it happened to." default:"simulated_1"`
	Status  string          `help:"Its status, in the provider's own word."`
	ID      string          `help:"The event's id; the same one again is known. A fresh one when empty."`
	Gateway string          `help:"Where the gateway is." default:"http://127.0.0.1:8080"`
}

func (c *webhookSimulate) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	sent, err := o.Simulate(i.ctx, app.SimulateParams{
		Tenant: c.Tenant, Server: c.Server, Gateway: c.Gateway, Kind: c.Event, Object: c.Object, Status: c.Status, ID: c.ID,
	})
	if err != nil {
		return err
	}
	return i.show(sent, func(w io.Writer) { say(w, "taken in: %s of %s", sent.Event, sent.Connection) })
}
