package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

// maxCredential is the longest credential that is read, in bytes.
const maxCredential = 64 << 10

// credentialCommand is "feira credential".
type credentialCommand struct {
	Set      credentialSet      `cmd:"" help:"Seal a credential, read from standard input."`
	List     credentialList     `cmd:"" help:"List what credentials a tenant has, without their values."`
	Delete   credentialDelete   `cmd:"" help:"Delete a tenant's credential."`
	Register credentialRegister `cmd:"" help:"Seal your own application with a provider, read from standard input: accounts are connected to it."`
}

type credentialSet struct {
	Tenant events.TenantID `arg:"" help:"Tenant that the credential belongs to."`
	Server string          `arg:"" help:"Provider that it opens."`
}

// Run reads the secret from standard input and from nowhere else: an argument
// would stand in the shell's history and in the process table.
func (c *credentialSet) Run(i *invocation) error {
	text, err := i.readCredential()
	if err != nil {
		return err
	}
	o := i.operator()
	defer o.Close()
	fields, err := o.SetCredential(i.ctx, c.Tenant, c.Server, app.CredentialParams{Text: text})
	if err != nil {
		return err
	}
	return i.show(map[string]any{"tenant": c.Tenant, "server": c.Server, "fields": fields}, func(w io.Writer) {
		say(w, "sealed the credential of %s for %s: %s", c.Tenant, c.Server, strings.Join(fields, ", "))
	})
}

// readCredential reads what is secret.
func (i *invocation) readCredential() (string, error) {
	text, err := io.ReadAll(io.LimitReader(i.in, maxCredential+1))
	if err != nil {
		return "", fmt.Errorf("reading the credential from standard input: %w", err)
	}
	if len(text) > maxCredential {
		return "", fmt.Errorf("the credential is longer than %d bytes", maxCredential)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", errors.New("standard input is empty: give the credential there, one line or a JSON object of fields")
	}
	return string(text), nil
}

type credentialList struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose credentials are listed."`
}

func (c *credentialList) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	entries, err := o.Credentials(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	return i.show(map[string]any{"credentials": orNone(entries)}, func(w io.Writer) {
		writeTable(w, credentialColumns(), entries)
	})
}

func credentialColumns() []column[app.CredentialEntry] {
	return []column[app.CredentialEntry]{
		{"SERVER", func(e app.CredentialEntry) string { return e.Server }},
		{"ENVIRONMENT", func(e app.CredentialEntry) string { return string(e.Environment) }},
		{"STATE", func(e app.CredentialEntry) string { return e.State }},
		{"EXPIRES", func(e app.CredentialEntry) string { return moment(e.ExpiresAt) }},
		{"SEALED", func(e app.CredentialEntry) string { return moment(e.UpdatedAt) }},
		{"FIELDS", func(e app.CredentialEntry) string { return strings.Join(e.Fields, " ") }},
	}
}

type credentialDelete struct {
	Tenant      events.TenantID    `arg:"" help:"Tenant whose credential is deleted; _operator is you."`
	Server      string             `arg:"" help:"Provider that it opened."`
	Environment events.Environment `name:"env" help:"live or test; the tenant's own where it is not said."`
}

func (c *credentialDelete) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	if err := o.DeleteCredential(i.ctx, c.Tenant, c.Server, c.Environment); err != nil {
		return err
	}
	return i.show(map[string]any{"tenant": c.Tenant, "server": c.Server, "deleted": true}, func(w io.Writer) {
		say(w, "deleted the credential of %s for %s", c.Tenant, c.Server)
	})
}

type credentialRegister struct {
	Server      string             `arg:"" help:"Provider that the application is registered with."`
	Environment events.Environment `name:"env" required:"" help:"live or test."`
}

func (c *credentialRegister) Run(i *invocation) error {
	text, err := i.readCredential()
	if err != nil {
		return err
	}
	o := i.operator()
	defer o.Close()
	fields, err := o.Register(i.ctx, c.Server, c.Environment, text)
	if err != nil {
		return err
	}
	return i.show(map[string]any{"server": c.Server, "environment": c.Environment, "fields": fields}, func(w io.Writer) {
		say(w, "sealed your %s application with %s: %s", c.Environment, c.Server, strings.Join(fields, ", "))
	})
}
