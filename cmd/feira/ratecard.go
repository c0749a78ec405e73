package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/rating"
)

// ratecardCommand is "feira ratecard".
type ratecardCommand struct {
	Apply ratecardApply `cmd:"" help:"Check a rate card and keep it; a version never changes."`
	Show  ratecardShow  `cmd:"" help:"List the rate cards, or print one."`
	Try   ratecardTry   `cmd:"" help:"Say what a tenant's month would cost by a card, and keep nothing."`
}

type ratecardApply struct {
	File string `arg:"" help:"YAML file of the card." type:"path"`
}

func (c *ratecardApply) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	done, err := o.ApplyCard(i.ctx, c.File)
	if err != nil {
		return err
	}
	done.Card.Text = ""
	return i.show(done, func(w io.Writer) {
		state := "is applied"
		if !done.Applied {
			state = "was applied before"
		}
		say(w, "%s %s, in force from %s, %s", done.Card.Kind, done.Card.Version, moment(done.Card.EffectiveFrom), state)
		if done.Uncounted != "" {
			say(w, "warning: nothing starts under a hard budget of money that it counts: %s", done.Uncounted)
		}
		if !done.Copied {
			say(w, "warning: budgets of money are not counted by it until the role meter has copied it: %s", done.Detail)
		}
	})
}

type ratecardShow struct {
	Version string `arg:"" optional:"" help:"Print the text of this one."`
}

func (c *ratecardShow) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	cards, err := o.Cards(i.ctx)
	if err != nil {
		return err
	}
	if c.Version == "" {
		for n := range cards {
			cards[n].Text = ""
		}
		return i.show(cards, func(w io.Writer) {
			writeTable(w, []column[app.CardInfo]{
				{"VERSION", func(c app.CardInfo) string { return c.Version }},
				{"KIND", func(c app.CardInfo) string { return string(c.Kind) }},
				{"CURRENCY", func(c app.CardInfo) string { return c.Currency }},
				{"FROM", func(c app.CardInfo) string { return moment(c.EffectiveFrom) }},
				{"TENANTS", func(c app.CardInfo) string { return joined(c.Tenants) }},
				{"SOURCE", func(c app.CardInfo) string { return c.Source }},
			}, cards)
		})
	}
	for _, card := range cards {
		if card.Version == c.Version {
			return i.show(card, func(w io.Writer) { say(w, "%s", strings.TrimRight(card.Text, "\n")) })
		}
	}
	return fmt.Errorf("%w: %s", app.ErrUnknownCard, c.Version)
}

func joined(tenants []events.TenantID) string {
	if len(tenants) == 0 {
		return "all"
	}
	texts := make([]string, len(tenants))
	for n, tenant := range tenants {
		texts[n] = string(tenant)
	}
	return strings.Join(texts, ",")
}

type ratecardTry struct {
	File   string          `arg:"" help:"YAML file of the card." type:"path"`
	Tenant events.TenantID `arg:"" help:"Tenant whose usage is rated."`
	Month  string          `help:"Month to rate, as 2026-11; the current one when empty."`
}

func (c *ratecardTry) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	trial, err := o.TryCard(i.ctx, c.File, c.Tenant, c.Month)
	if err != nil {
		return err
	}
	return i.show(trial, func(w io.Writer) {
		say(w, "%s\t%s", trial.Tenant, trial.Period)
		writeBill(w, trial.Tried)
		say(w, "in force\t\t\t%s", trial.InForce.Total)
	})
}

// writeBill prints a bill line by line.
func writeBill(w io.Writer, bill rating.Bill) {
	say(w, "METER\tQUANTITY\tUNIT PRICE\tAMOUNT")
	for _, line := range bill.Lines {
		say(w, "%s\t%s\t%s\t%s", line.Meter, line.Quantity, priced(line), line.Amount.Text())
	}
	for _, unpriced := range bill.Unpriced {
		say(w, "%s %s\t%s\tno price\t", unpriced.Meter, unpriced.Unit, unpriced.Quantity)
	}
	say(w, "total\t\t\t%s", bill.Total)
}

// priced is a line's price in a word.
func priced(line rating.Line) string {
	switch {
	case line.Percentage != nil:
		return fmt.Sprintf("%s %% of %d", line.Percentage.Rate, line.Events)
	case len(line.Tiers) > 0:
		steps := make([]string, len(line.Tiers))
		for n, tier := range line.Tiers {
			steps[n] = tier.Quantity.String() + " x " + string(tier.UnitPrice)
		}
		return strings.Join(steps, " + ")
	default:
		return string(line.UnitPrice)
	}
}
