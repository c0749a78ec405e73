package main

import (
	"io"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/money"
)

// creditCommand is "feira credit".
type creditCommand struct {
	Grant creditGrant `cmd:"" help:"Give a tenant prepaid credit."`
	Show  creditShow  `cmd:"" help:"Show a tenant's prepaid credit and accounts."`
}

type creditGrant struct {
	Tenant   events.TenantID `arg:"" help:"Tenant that gets it."`
	ID       string          `arg:"" help:"Name of the grant, as of the payment; the same again does nothing."`
	Amount   string          `arg:"" help:"In major units, as 100.00."`
	Currency money.Currency  `help:"ISO 4217 code." default:"BRL"`
	Expires  time.Time       `help:"When what is left expires, RFC 3339; never when left out."`
}

func (c *creditGrant) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	credit, err := o.GrantCredit(i.ctx, app.GrantParams{Tenant: c.Tenant, ID: c.ID, Amount: c.Amount, Currency: c.Currency, Expires: c.Expires})
	if err != nil {
		return err
	}
	return i.show(credit, func(w io.Writer) { say(w, "%s\t%s\t%s", credit.Tenant, credit.ID, credit.Amount) })
}

type creditShow struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose credit it is."`
}

func (c *creditShow) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	account, err := o.Account(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	return i.show(account, func(w io.Writer) {
		writeTable(w, []column[app.Credit]{
			{"CREDIT", func(c app.Credit) string { return c.ID }},
			{"AMOUNT", func(c app.Credit) string { return c.Amount.String() }},
			{"LEFT", func(c app.Credit) string { return c.Left.Text() }},
			{"EXPIRES", func(c app.Credit) string { return moment(c.Expires) }},
		}, account.Credits)
		writeTable(w, []column[ledger.Balance]{
			{"ACCOUNT", func(b ledger.Balance) string { return string(b.Account) }},
			{"BALANCE", func(b ledger.Balance) string { return string(b.Currency) + " " + b.Amount }},
		}, account.Balances)
	})
}
