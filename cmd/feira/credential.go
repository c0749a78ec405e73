package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// maxCredential is the longest credential that is read, in bytes.
const maxCredential = 64 << 10

// credentialCommand is "feira credential".
type credentialCommand struct {
	Set  credentialSet  `cmd:"" help:"Seal a credential, read from standard input."`
	List credentialList `cmd:"" help:"List what credentials a tenant has, without their values."`
}

type credentialSet struct {
	Tenant events.TenantID `arg:"" help:"Tenant that the credential belongs to."`
	Server string          `arg:"" help:"Provider that it opens."`
}

// Run reads the secret from standard input and from nowhere else: an argument
// would stand in the shell's history and in the process table.
func (c *credentialSet) Run(i *invocation) error {
	text, err := io.ReadAll(io.LimitReader(i.in, maxCredential+1))
	if err != nil {
		return fmt.Errorf("reading the credential from standard input: %w", err)
	}
	if len(text) > maxCredential {
		return fmt.Errorf("the credential is longer than %d bytes", maxCredential)
	}
	if strings.TrimSpace(string(text)) == "" {
		return errors.New("standard input is empty: give the credential there, one line or a JSON object of fields")
	}
	o := i.operator()
	defer o.Close()
	fields, err := o.SetCredential(i.ctx, c.Tenant, c.Server, string(text))
	if err != nil {
		return err
	}
	return i.show(map[string]any{"tenant": c.Tenant, "server": c.Server, "fields": fields}, func(w io.Writer) {
		say(w, "sealed the credential of %s for %s: %s", c.Tenant, c.Server, strings.Join(fields, ", "))
	})
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
		say(w, "SERVER\tENVIRONMENT\tFIELDS\tSEALED")
		for _, entry := range entries {
			say(w, "%s\t%s\t%s\t%s", entry.Server, entry.Environment, strings.Join(entry.Fields, " "), entry.UpdatedAt.Format(time.RFC3339))
		}
	})
}
