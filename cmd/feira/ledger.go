package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// ledgerCommand is "feira ledger".
type ledgerCommand struct {
	Migrate    ledgerMigrate    `cmd:"" help:"Make the ledger's tables, or bring them up to date."`
	Verify     ledgerVerify     `cmd:"" help:"Sum every row anew and hold it against the sums as kept."`
	Quarantine ledgerQuarantine `cmd:"" help:"List usage events that could not be booked, and why."`
	Replay     ledgerReplay     `cmd:"" help:"Book what can be booked of the quarantine."`
}

// errLedgerDiffers occurs when a ledger contradicts itself; the differences are
// shown.
var errLedgerDiffers = errors.New("the ledger contradicts itself")

type ledgerMigrate struct{}

// Run says which version the tables are at.
func (ledgerMigrate) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	state, err := o.MigrateLedger(i.ctx)
	if err != nil {
		return err
	}
	return i.show(state, func(w io.Writer) {
		say(w, "%s, version %d, %d migrations applied now, days of %s", state.Engine, state.Version, len(state.Applied), state.Zone)
	})
}

type ledgerVerify struct{}

// Run names every difference and fails on any.
func (ledgerVerify) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	found, err := o.VerifyLedger(i.ctx)
	if err != nil {
		return err
	}
	err = i.show(found, func(w io.Writer) {
		for _, difference := range found.Differences {
			say(w, "%s", tellDifference(difference))
		}
		say(w, "%d rows, %d sums, %d differences", found.Rows, found.Rollups, len(found.Differences))
	})
	if !found.OK {
		err = errors.Join(err, errLedgerDiffers)
	}
	return err
}

func tellDifference(d app.LedgerDifference) string {
	if d.Key == nil {
		return fmt.Sprintf("%s: event %s of %s is not what was recorded", d.Tenant, d.Event, d.Day)
	}
	return fmt.Sprintf("%s: %s %s of %s is %s, its rows say %s", d.Tenant, d.Key.Meter, d.Key.Unit, d.Day, d.Rollup, d.Rows)
}

type ledgerQuarantine struct {
	Tenant events.TenantID `arg:"" optional:"" help:"Only this tenant's."`
}

// Run lists what could not be booked, the newest first.
func (c *ledgerQuarantine) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	kept, err := o.Quarantine(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	return i.show(kept, func(w io.Writer) {
		writeTable(w, []column[app.QuarantinedEvent]{
			{"TENANT", func(q app.QuarantinedEvent) string { return string(q.Tenant) }},
			{"SEQUENCE", func(q app.QuarantinedEvent) string { return strconv.FormatUint(q.Sequence, 10) }},
			{"EVENT", func(q app.QuarantinedEvent) string { return q.Event }},
			{"REASON", func(q app.QuarantinedEvent) string { return string(q.Reason) }},
			{"DETAIL", func(q app.QuarantinedEvent) string { return q.Detail }},
		}, kept)
	})
}

type ledgerReplay struct {
	Tenant         events.TenantID `arg:"" optional:"" help:"Only this tenant's."`
	Reason         usage.Reason    `help:"Only what was put aside for this reason, as too_late."`
	AcceptUntimely bool            `name:"accept-untimely" help:"Book also what came too late or from the future."`
	Dry            bool            `name:"dry-run" help:"Say what would be booked, and change nothing."`
}

// Run reads the quarantine again by the rules of today.
func (c *ledgerReplay) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	replayed, err := o.ReplayQuarantine(i.ctx, ledger.ReplayParams{
		Tenant: c.Tenant, Reason: c.Reason, AcceptUntimely: c.AcceptUntimely, Dry: c.Dry,
	})
	if err != nil {
		return err
	}
	return i.show(replayed, func(w io.Writer) {
		say(w, "%d booked, %d were before, %d contradict a row, %d stay in quarantine", replayed.Booked, replayed.Duplicates, replayed.Conflicts, replayed.Kept)
	})
}
