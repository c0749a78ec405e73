package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/feira-dev/feira/internal/app"
)

// ledgerCommand is "feira ledger".
type ledgerCommand struct {
	Migrate ledgerMigrate `cmd:"" help:"Make the ledger's tables, or bring them up to date."`
	Verify  ledgerVerify  `cmd:"" help:"Sum every row anew and hold it against the sums as kept."`
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
