package events

import (
	"errors"
	"fmt"
	"time"
)

// TypeBudgetReached names [BudgetReached].
const TypeBudgetReached Type = "feira.budget.reached.v1"

// BudgetSession is the log in which a tenant's budgets tell of themselves. No
// producer's session can have this name.
const BudgetSession SessionID = "_budgets"

// BudgetReached says that a tenant, or one of its sessions, has used a part of a
// budget. There is one for each mark, 50, 80 and 100 per cent, in a period. It
// stands in the log of [BudgetSession], so whoever reads a tenant's sessions
// hears of it. Amounts are decimals of the unit.
type BudgetReached struct {
	// Budget is its name.
	Budget  string `json:"budget"`
	Percent int    `json:"percent"`
	// Unit is calls, tokens or money, which is in Currency.
	Unit     string `json:"unit"`
	Currency string `json:"currency,omitempty"`
	Limit    string `json:"limit"`
	// Spent is what had been spent when the mark was seen.
	Spent string `json:"spent"`
	// Soft budgets refuse nothing.
	Soft bool `json:"soft"`
	// Period is day, week, month or total; From and To are absent of the last.
	Period string    `json:"period"`
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to,omitzero"`
	// Session is whose use it is; absent when it is the tenant's.
	Session SessionID `json:"session,omitempty"`
}

// EventType implements [Event].
func (*BudgetReached) EventType() Type { return TypeBudgetReached }

// Validate implements [Event].
func (e *BudgetReached) Validate() error {
	var faults []error
	for _, field := range []struct{ name, value string }{
		{"budget", e.Budget}, {"unit", e.Unit}, {"limit", e.Limit}, {"spent", e.Spent}, {"period", e.Period},
	} {
		if field.value == "" {
			faults = append(faults, errors.New(field.name+" is missing"))
		}
	}
	if e.Percent < 1 || e.Percent > 100 {
		faults = append(faults, fmt.Errorf("percent is %d, want 1 to 100", e.Percent))
	}
	return errors.Join(faults...)
}
