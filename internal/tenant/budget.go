package tenant

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	// The zone of a budget must be known wherever the binary runs.
	_ "time/tzdata"

	"github.com/feira-dev/feira/events"
)

// Bounds of budgets.
const (
	MaxBudgets    = 16
	MaxBudgetName = 32
	// MaxBudget is the largest limit, in whole units.
	MaxBudget = 1_000_000_000_000
)

// What a turn may use where its tenant's limits do not say.
const (
	DefaultTurnToolCalls = 64
	DefaultTurnTokens    = 200_000
)

// BudgetUnit is what a budget counts.
type BudgetUnit string

// Units of budgets.
const (
	UnitCalls  BudgetUnit = "calls"  // tool calls that have an outcome
	UnitTokens BudgetUnit = "tokens" // of the model, in and out
	UnitMoney  BudgetUnit = "money"  // what the calls and tokens cost
)

// BudgetPeriod is how long a budget lasts before it is full again.
type BudgetPeriod string

// Periods of budgets, by the calendar of the budget's zone. A week begins on Monday.
const (
	PerDay   BudgetPeriod = "day"
	PerWeek  BudgetPeriod = "week"
	PerMonth BudgetPeriod = "month"
	InTotal  BudgetPeriod = "total"
)

// BudgetScope is whose use a budget counts.
type BudgetScope string

// Scopes of budgets.
const (
	ScopeTenant  BudgetScope = "tenant"
	ScopeSession BudgetScope = "session"
)

// Budget bounds what a tenant, or each of its sessions, may use in a period.
type Budget struct {
	// Name tells it from the tenant's others.
	Name string     `json:"name" yaml:"name"`
	Unit BudgetUnit `json:"unit" yaml:"unit"`
	// Currency is that of a budget of money, by its ISO 4217 code.
	Currency string       `json:"currency,omitempty" yaml:"currency,omitempty"`
	Period   BudgetPeriod `json:"period" yaml:"period"`
	// Zone is where the period's days begin, as America/Sao_Paulo. Defaults to UTC.
	Zone  string `json:"zone,omitempty" yaml:"zone,omitempty"`
	Limit Amount `json:"limit" yaml:"limit"`
	// Soft budgets refuse nothing: they tell how much is used.
	Soft bool `json:"soft,omitempty" yaml:"soft,omitempty"`
	// Per is whose use is counted. Defaults to the tenant's.
	Per BudgetScope `json:"per,omitempty" yaml:"per,omitempty"`
	// Reserve is what a turn sets aside when it is granted, until it has ended; a
	// turn may make no more calls, and begins no reply beyond so many tokens.
	// Defaults to what the tenant's limits let a turn use. A hard budget of money
	// needs one, as nothing else bounds what a turn costs.
	Reserve Amount `json:"reserve,omitempty" yaml:"reserve,omitempty"`
}

// Location is the budget's zone.
func (b Budget) Location() (*time.Location, error) { return time.LoadLocation(b.Zone) }

// Reserves is what a run of the kind sets aside of a budget.
func (t Tenant) Reserves(b Budget, kind events.Kind) Amount {
	switch {
	case b.Unit == UnitMoney:
		return b.Reserve
	case kind == events.KindCall && b.Unit == UnitCalls:
		return Whole(1)
	case kind == events.KindCall:
		return 0
	case b.Reserve > 0:
		return b.Reserve
	case b.Unit == UnitCalls:
		return Whole(int64(cmp.Or(t.Limits.ToolCalls, DefaultTurnToolCalls)))
	default:
		return Whole(cmp.Or(t.Limits.Tokens, DefaultTurnTokens))
	}
}

// Bounds are the limits of a turn, lowered to what hard budgets set aside for it.
func (t Tenant) Bounds() Limits {
	limits := t.Limits
	for _, b := range t.Budgets {
		if b.Soft || b.Reserve == 0 {
			continue
		}
		switch reserved := int64(b.Reserve / micro); b.Unit {
		case UnitCalls:
			limits.ToolCalls = int(min(int64(cmp.Or(limits.ToolCalls, DefaultTurnToolCalls)), reserved))
		case UnitTokens:
			limits.Tokens = min(cmp.Or(limits.Tokens, DefaultTurnTokens), reserved)
		case UnitMoney:
		}
	}
	return limits
}

func (t Tenant) validateBudgets() error {
	var faults []error
	if len(t.Budgets) > MaxBudgets {
		faults = append(faults, fmt.Errorf("%w: budgets has %d entries, at most %d are allowed", ErrInvalid, len(t.Budgets), MaxBudgets))
	}
	for i, b := range t.Budgets {
		for _, fault := range b.faults() {
			faults = append(faults, fmt.Errorf("%w: budgets[%d].%s", ErrInvalid, i, fault))
		}
		if slices.ContainsFunc(t.Budgets[:i], func(other Budget) bool { return other.Name == b.Name }) {
			faults = append(faults, fmt.Errorf("%w: budgets[%d].name: %q is there twice", ErrInvalid, i, b.Name))
		}
	}
	return errors.Join(faults...)
}

// faults are sentences that begin with the field.
func (b Budget) faults() []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if b.Name == "" || len(b.Name) > MaxBudgetName || strings.Trim(b.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		fault("name is %q, want 1 to %d lower-case letters, digits, _ and -", b.Name, MaxBudgetName)
	}
	if b.Unit != UnitCalls && b.Unit != UnitTokens && b.Unit != UnitMoney {
		fault("unit is %q, want calls, tokens or money", b.Unit)
	}
	if (b.Unit == UnitMoney) != (b.Currency != "") {
		fault("currency is %q for unit %q: money needs one, and nothing else has one", b.Currency, b.Unit)
	}
	switch b.Period {
	case PerDay, PerWeek, PerMonth, InTotal:
	default:
		fault("period is %q, want day, week, month or total", b.Period)
	}
	if _, err := b.Location(); err != nil || b.Zone == "Local" {
		fault("zone is %q, want a name as America/Sao_Paulo", b.Zone)
	}
	if b.Per != "" && b.Per != ScopeTenant && b.Per != ScopeSession {
		fault("per is %q, want tenant or session", b.Per)
	}
	return append(faults, b.amountFaults()...)
}

func (b Budget) amountFaults() []string {
	var faults []string
	if b.Limit < 1 || b.Limit > Whole(MaxBudget) {
		faults = append(faults, fmt.Sprintf("limit is %s, want more than 0 and at most %d", b.Limit, int64(MaxBudget)))
	}
	if b.Unit != UnitMoney && (!b.Limit.IsWhole() || !b.Reserve.IsWhole()) {
		faults = append(faults, fmt.Sprintf("limit is %s and reserve %s: %s are counted in whole numbers", b.Limit, b.Reserve, b.Unit))
	}
	if b.Reserve < 0 || b.Reserve > b.Limit {
		faults = append(faults, fmt.Sprintf("reserve is %s, want 0 to the limit, %s", b.Reserve, b.Limit))
	}
	if b.Unit == UnitMoney && !b.Soft && b.Reserve == 0 {
		faults = append(faults, "reserve is missing: a hard budget of money must say what a run may cost")
	}
	return faults
}
