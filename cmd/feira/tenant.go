package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/tenant"
)

// tenantCommand is "feira tenant".
type tenantCommand struct {
	Apply  tenantApply  `cmd:"" help:"Register or change the tenants of a YAML file."`
	List   tenantList   `cmd:"" help:"List the registered tenants."`
	Show   tenantShow   `cmd:"" help:"Show one tenant."`
	Pause  tenantPause  `cmd:"" help:"Start nothing of a tenant any more; what runs goes on, what comes waits."`
	Resume tenantResume `cmd:"" help:"Let a paused tenant start again."`
	Delete tenantDelete `cmd:"" help:"Take a tenant from the registry, revoke its API keys and destroy its credentials, for good."`
}

type tenantApply struct {
	File string `short:"f" required:"" type:"existingfile" help:"YAML file with a list \"tenants\"."`
}

func (c *tenantApply) Run(i *invocation) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("reading %s: %w", c.File, err)
	}
	tenants, err := app.ParseTenants(text)
	if err != nil {
		return err
	}
	o := i.operator()
	defer o.Close()
	if err := o.ApplyTenants(i.ctx, tenants); err != nil {
		return err
	}
	return i.show(map[string]any{"applied": ids(tenants)}, func(w io.Writer) {
		for _, customer := range tenants {
			say(w, "applied %s", customer.ID)
		}
	})
}

type tenantList struct{}

func (c *tenantList) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	tenants, err := o.Tenants(i.ctx)
	if err != nil {
		return err
	}
	return i.show(map[string]any{"tenants": orNone(tenants)}, func(w io.Writer) {
		say(w, "TENANT\tENVIRONMENT\tCONCURRENCY\tWEIGHT\tSERVERS")
		for _, customer := range tenants {
			say(w, "%s\t%s\t%d\t%d\t%s", customer.ID, customer.Environment, customer.Concurrency, customer.Weight, strings.Join(customer.Servers, " "))
		}
	})
}

type tenantShow struct {
	Tenant events.TenantID `arg:"" help:"Tenant to show."`
}

func (c *tenantShow) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	customer, err := o.Tenant(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	return i.show(customer, func(w io.Writer) {
		say(w, "tenant\t%s", customer.ID)
		say(w, "name\t%s", customer.Name)
		say(w, "environment\t%s", customer.Environment)
		say(w, "servers\t%s", strings.Join(customer.Servers, " "))
		say(w, "concurrency\t%d", customer.Concurrency)
		say(w, "weight\t%d", customer.Weight)
		if customer.Backlog > 0 {
			say(w, "backlog\t%d", customer.Backlog)
		}
		say(w, "paused\t%t", customer.Paused)
		say(w, "instructions\t%s", customer.Instructions)
	})
}

type tenantPause struct {
	Tenant events.TenantID `arg:"" help:"Tenant to pause."`
}

func (c *tenantPause) Run(i *invocation) error { return i.pause(c.Tenant, true) }

type tenantResume struct {
	Tenant events.TenantID `arg:"" help:"Tenant to resume."`
}

func (c *tenantResume) Run(i *invocation) error { return i.pause(c.Tenant, false) }

type tenantDelete struct {
	Tenant events.TenantID `arg:"" help:"Tenant to delete."`
	Yes    bool            `help:"Do it: it cannot be undone."`
}

func (c *tenantDelete) Run(i *invocation) error {
	if !c.Yes {
		return errNotConfirmed
	}
	o := i.operator()
	defer o.Close()
	destroyed, err := o.DeleteTenant(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	return i.show(map[string]any{"tenant": c.Tenant, "credentials": destroyed}, func(w io.Writer) {
		say(w, "deleted %s and destroyed its keyset and %d credentials", c.Tenant, destroyed)
	})
}

func (i *invocation) pause(id tenant.ID, paused bool) error {
	o := i.operator()
	defer o.Close()
	if err := o.PauseTenant(i.ctx, id, paused); err != nil {
		return err
	}
	return i.show(map[string]any{"tenant": id, "paused": paused}, func(w io.Writer) {
		if paused {
			say(w, "paused %s", id)
			return
		}
		say(w, "resumed %s", id)
	})
}

func ids(tenants []tenant.Tenant) []tenant.ID {
	list := make([]tenant.ID, len(tenants))
	for n, customer := range tenants {
		list[n] = customer.ID
	}
	return list
}

// orNone makes an empty list of nil, which in JSON would be null.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
