package main

import (
	"errors"
	"io"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/vault"
)

// vaultCommand is "feira vault".
type vaultCommand struct {
	Rotate vaultRotate `cmd:"" help:"Give tenants a new key, or put their keysets under another one."`
	Audit  vaultAudit  `cmd:"" help:"List who decrypted what, and check that no record was changed or taken out."`
	Shred  vaultShred  `cmd:"" help:"Destroy a tenant's keyset and credentials, for good."`
}

type vaultRotate struct {
	Tenant events.TenantID `arg:"" optional:"" help:"Only this tenant's."`
	KEK    string          `name:"kek" help:"URI of the key that keysets go under: a file, hcvault://, aws-kms:// or gcp-kms://."`
}

func (c *vaultRotate) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	rotated := []vault.Progress{}
	err := o.Rotate(i.ctx, app.RotateParams{Tenant: c.Tenant, KEK: c.KEK}, func(progress vault.Progress) {
		rotated = append(rotated, progress)
	})
	shown := i.show(map[string]any{"rotated": rotated}, func(w io.Writer) {
		say(w, "TENANT\tKEY\tUNDER\tREWRAPPED\tUNREADABLE\tOLD KEYS UNTIL")
		for _, p := range rotated {
			say(w, "%s\t%d\t%s\t%d\t%d\t%s", p.Tenant, p.Key, p.KEK, p.Rewrapped, p.Unreadable, moment(p.OldKeysUntil))
		}
	})
	return errors.Join(err, shown)
}

type vaultAudit struct {
	Tenant   events.TenantID `arg:"" optional:"" help:"Only this tenant's; without it, the chains of all are checked and no record is listed."`
	Last     int             `default:"100" help:"List so many of the last records; 0 lists all."`
	Contains string          `help:"Hash of a record that has to be there, as a head that was noted before."`
}

// Run prints what holds, and fails on what does not.
func (c *vaultAudit) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	records := []vault.Record{}
	chains, err := o.Audit(i.ctx, app.AuditParams{Tenant: c.Tenant, Noted: c.Contains}, func(record vault.Record) {
		if c.Tenant == "" {
			return
		}
		records = append(records, record)
		if c.Last > 0 && len(records) > c.Last {
			records = records[1:]
		}
	})
	shown := i.show(map[string]any{"records": records, "chains": orNone(chains)}, func(w io.Writer) {
		if len(records) > 0 {
			writeTable(w, auditColumns(), records)
			say(w, "")
		}
		for _, chain := range chains {
			say(w, "%s: records %d to %d hold, head %s", chain.Tenant, chain.First, chain.Last, chain.Head)
		}
	})
	return errors.Join(err, shown)
}

func auditColumns() []column[vault.Record] {
	return []column[vault.Record]{
		{"TIME", func(r vault.Record) string { return moment(r.Time) }},
		{"ACTION", func(r vault.Record) string { return string(r.Action) }},
		{"OUTCOME", func(r vault.Record) string { return r.Outcome }},
		{"SERVER", func(r vault.Record) string { return r.Server }},
		{"ENVIRONMENT", func(r vault.Record) string { return string(r.Environment) }},
		{"WHY", func(r vault.Record) string { return oneLine(r.Purpose.Why) }},
		{"SESSION", func(r vault.Record) string { return string(r.Purpose.Session) }},
		{"REQUEST", func(r vault.Record) string { return oneLine(string(r.Purpose.Request)) }},
		{"TOOL", func(r vault.Record) string { return oneLine(r.Purpose.Tool) }},
		{"BY", func(r vault.Record) string { return r.Actor }},
	}
}

type vaultShred struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose credentials nobody shall ever read again."`
	Yes    bool            `help:"Do it: it cannot be undone."`
}

var errNotConfirmed = errors.New("this cannot be undone: say --yes")

func (c *vaultShred) Run(i *invocation) error {
	if !c.Yes {
		return errNotConfirmed
	}
	o := i.operator()
	defer o.Close()
	destroyed, err := o.Shred(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	return i.show(map[string]any{"tenant": c.Tenant, "credentials": destroyed}, func(w io.Writer) {
		say(w, "destroyed the keyset of %s and %d credentials", c.Tenant, destroyed)
	})
}

// moment is a time as tables show it; nothing where there is none.
func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339)
}
