package main

import (
	"errors"
	"strings"

	"github.com/feira-dev/feira/internal/app"
)

// devCommand is "feira dev".
type devCommand struct {
	Port      int  `help:"Port of the embedded broker on loopback; 0 takes a free one." default:"4222" env:"FEIRA_DEV_PORT"`
	StandIns  bool `help:"Run stand-ins of the six providers, and the offline model where OPENAI_API_KEY is not set." default:"true" negatable:"" env:"FEIRA_DEV_STAND_INS"`
	Webhooks  bool `help:"Have the stand-ins tell the gateway what happens at them, as the providers' webhooks do." env:"FEIRA_DEV_WEBHOOKS"`
	Newcomers bool `help:"Register a tenant when a session is opened for one that is not registered." default:"true" negatable:"" env:"FEIRA_DEV_NEWCOMERS"`
	Seed      bool `help:"Register the two tenants of the cookbook where they are missing." default:"true" negatable:"" env:"FEIRA_DEV_SEED"`
}

func (c *devCommand) Run(i *invocation) error {
	i.cfg.Gateway.Newcomers = i.cfg.Gateway.Newcomers || c.Newcomers
	return app.RunDev(i.ctx, i.cfg, i.tel, app.DevParams{
		Port: c.Port, StandIns: c.StandIns, Webhooks: c.Webhooks, Seed: c.Seed,
		Ready: func(dev app.Dev) {
			if i.json {
				_ = writeJSON(i.out, dev)
				return
			}
			names := make([]string, len(dev.Tenants))
			for n, id := range dev.Tenants {
				names[n] = string(id)
			}
			say(i.out, "feira is up: broker %s, model %s, data in %s, tenants %s", dev.NATS, dev.Model, dev.DataDir, strings.Join(names, ", "))
			say(i.out, "HTTP API at %s with key %s, described at %s/docs", dev.HTTP, dev.Key, dev.HTTP)
			if c.Webhooks {
				say(i.out, `stand-ins at %s tell the gateway what happens; pay a Pix: curl %s/_sandbox/asaas/pix -d '{"payload":"000201..."}'`, dev.StandIns, dev.StandIns)
			}
			say(i.out, `try: feira send tenant_acme "Charge R$ 150,00 to Maria Silva (maria@example.com) and ship it to CEP 01310-100"`)
		},
	})
}

// runCommand is "feira run".
type runCommand struct {
	Roles []string `arg:"" name:"role" help:"Roles to run: all, or some of: ${roles}."`
}

func (c *runCommand) Run(i *invocation) error {
	roles, err := app.ParseRoles(c.Roles)
	if err != nil {
		return err
	}
	return app.RunRoles(i.ctx, i.cfg, i.tel, roles, func(at app.Addresses) {
		i.tel.Logger().InfoContext(i.ctx, "roles are up", "roles", strings.Join(c.Roles, ","), "http", at.HTTP)
	})
}

// configCommand is "feira config".
type configCommand struct {
	Check checkCommand `cmd:"" help:"Say whether the configuration can be used; exit 0 or 1."`
}

type checkCommand struct{}

func (c *checkCommand) Run(i *invocation) error {
	if err := errors.Join(i.cfg.Validate(), app.CheckFiles(i.cfg)); err != nil {
		return err
	}
	if i.json {
		return writeJSON(i.out, map[string]bool{"ok": true})
	}
	say(i.out, "the configuration is well formed")
	return nil
}
