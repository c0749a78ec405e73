package main

import (
	"errors"
	"io"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

// budgetCommand is "feira budget".
type budgetCommand struct {
	List budgetList `cmd:"" help:"List the budgets of all tenants and what is spent of them."`
	Show budgetShow `cmd:"" help:"Show the budgets of one tenant, those of its sessions too."`
}

// standing is a budget of a tenant as it is told.
type standing struct {
	Tenant tenant.ID `json:"tenant"`
	budget.Balance
}

type budgetList struct{}

func (c *budgetList) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	tenants, err := o.Tenants(i.ctx)
	if err != nil {
		return err
	}
	var all []standing
	for _, customer := range tenants {
		found, err := standings(i, o, customer.ID)
		if errors.Is(err, app.ErrUnknownTenant) {
			continue // it has gone meanwhile
		}
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	return i.show(map[string]any{"budgets": orNone(all)}, func(w io.Writer) { writeBudgets(w, all) })
}

type budgetShow struct {
	Tenant events.TenantID `arg:"" help:"Tenant whose budgets are shown."`
}

func (c *budgetShow) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	all, err := standings(i, o, c.Tenant)
	if err != nil {
		return err
	}
	return i.show(map[string]any{"budgets": orNone(all)}, func(w io.Writer) { writeBudgets(w, all) })
}

func standings(i *invocation, o *app.Operator, id tenant.ID) ([]standing, error) {
	balances, err := o.Budgets(i.ctx, id)
	var all []standing
	for _, balance := range balances {
		all = append(all, standing{Tenant: id, Balance: balance})
	}
	return all, err
}

func writeBudgets(w io.Writer, all []standing) {
	writeTable(w, budgetColumns(), all)
	for _, s := range all {
		if s.Unknown != "" {
			say(w, "warning: what %s has spent of %s cannot be counted: %s", s.Tenant, s.Budget.Name, s.Unknown)
		}
	}
}

func budgetColumns() []column[standing] {
	unit := func(s standing) string {
		if s.Budget.Currency != "" {
			return s.Budget.Currency
		}
		return string(s.Budget.Unit)
	}
	return []column[standing]{
		{"TENANT", func(s standing) string { return string(s.Tenant) }},
		{"BUDGET", func(s standing) string { return s.Budget.Name }},
		{"SESSION", func(s standing) string {
			if s.Budget.Per == tenant.ScopeSession {
				return string(s.Session)
			}
			return "all"
		}},
		{"SPENT", func(s standing) string { return s.Spent.String() }},
		{"RUNNING", func(s standing) string { return s.Reserved.String() }},
		{"LIMIT", func(s standing) string { return s.Budget.Limit.String() }},
		{"UNIT", unit},
		{"PERIOD", func(s standing) string { return string(s.Budget.Period) }},
		{"UNTIL", func(s standing) string {
			if s.To.IsZero() {
				return "-"
			}
			return s.To.Format(time.RFC3339)
		}},
		{"KIND", func(s standing) string {
			if s.Budget.Soft {
				return "soft"
			}
			return "hard"
		}},
	}
}
