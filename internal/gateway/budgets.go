package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

// Purses tell how budgets stand. Implementations are safe for concurrent use.
type Purses interface {
	// Budgets tell how those that the tenant has stand.
	Budgets(ctx context.Context, id tenant.ID) ([]budget.Balance, error)
	// Foresee tells how those that the customer has here would stand, whatever the
	// registry says of it.
	Foresee(ctx context.Context, customer tenant.Tenant) ([]budget.Balance, error)
}

type budgetsIn struct {
	Tenant string `query:"tenant_id" maxLength:"64" doc:"Whose; a tenant's own key needs none."`
}

// BudgetTerms is a bound on what a tenant may use; amounts are decimal texts.
type BudgetTerms struct {
	Name     string `json:"name"`
	Unit     string `json:"unit" enum:"calls,tokens,money"`
	Currency string `json:"currency,omitempty" doc:"Of a budget of money."`
	Period   string `json:"period" enum:"day,week,month,total"`
	Zone     string `json:"zone,omitempty" doc:"Where the period's days begin; UTC where left out."`
	Limit    string `json:"limit"`
	Soft     bool   `json:"soft,omitempty" doc:"Refuse nothing, and tell how much is used."`
	Per      string `json:"per,omitempty" enum:"tenant,session"`
	Reserve  string `json:"reserve,omitempty" doc:"What a turn sets aside."`
}

// BudgetBalance is how a budget stands.
type BudgetBalance struct {
	Budget   BudgetTerms `json:"budget"`
	Session  string      `json:"session_id,omitempty"`
	Spent    string      `json:"spent"`
	Reserved string      `json:"reserved"`
	From     *Moment     `json:"from" nullable:"true" doc:"Null for a budget in total, which has no periods."`
	To       *Moment     `json:"to" nullable:"true"`
	Unknown  string      `json:"unknown,omitempty" doc:"Why nobody knows what is spent: spent is then what is known of it, and nothing starts under a hard budget."`
}

type budgetsOut struct {
	Body struct {
		Tenant  string          `json:"tenant_id"`
		Budgets []BudgetBalance `json:"budgets"`
	}
}

type setBudgetsIn struct {
	Body struct {
		Tenant  string        `json:"tenant_id" maxLength:"64"`
		Budgets []BudgetTerms `json:"budgets" maxItems:"64" doc:"All of them, in place of those before; none takes every bound away."`
	}
}

func (g *Gateway) budgetRoutes() {
	const group = "billing"
	missing := []int{http.StatusNotFound}
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/budgets", id: "get-budgets", group: group, summary: "Show what a tenant has spent of its budgets",
		scope: access.ScopeUsageRead, faults: missing,
	}, g.getBudgets)
	// No tenant's key has this scope: nobody lifts a budget of its own.
	serve(g, endpoint{
		method: http.MethodPut, path: "/v1/budgets", id: "set-budgets", group: group, summary: "Set a tenant's budgets",
		scope: access.ScopeTenantsWrite, faults: missing,
	}, g.setBudgets)
}

func (g *Gateway) getBudgets(ctx context.Context, caller access.Caller, in *budgetsIn) (*budgetsOut, error) {
	customer, err := g.billed(ctx, caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	balances, err := g.cfg.Purses.Budgets(ctx, customer.ID)
	if err != nil {
		return nil, worded(err)
	}
	return balanced(customer.ID, balances)
}

// setBudgets asks first how the new budgets will stand, and then sets them, so
// that nothing can fail once they are set: what is answered with a fault is not
// done, but for a broker that takes the change and goes before it says so. The
// same again is harmless.
func (g *Gateway) setBudgets(ctx context.Context, caller access.Caller, in *setBudgetsIn) (*budgetsOut, error) {
	customer, err := g.reached(ctx, caller, in.Body.Tenant)
	if err != nil {
		return nil, err
	}
	var budgets []tenant.Budget
	if err := retold(in.Body.Budgets, &budgets); err != nil {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error()).at("/budgets")
	}
	customer.Budgets = budgets
	if err := customer.Validate(); err != nil {
		return nil, worded(err)
	}
	balances, err := g.cfg.Purses.Foresee(ctx, customer)
	if err != nil {
		return nil, worded(err)
	}
	_, found, err := g.cfg.Registrar.Amend(ctx, customer.ID, func(changed *tenant.Tenant) error {
		changed.Budgets = slices.Clone(budgets)
		return changed.Validate()
	})
	if err != nil {
		return nil, unsure(err, remedyAgain)
	}
	if !found {
		return nil, problem(http.StatusNotFound, CodeTenantNotFound, "there is no such tenant")
	}
	return balanced(customer.ID, balances)
}

func balanced(id tenant.ID, balances []budget.Balance) (*budgetsOut, error) {
	out := &budgetsOut{}
	out.Body.Tenant = string(id)
	out.Body.Budgets = []BudgetBalance{}
	for _, balance := range balances {
		shown := BudgetBalance{
			Session: string(balance.Session), Spent: balance.Spent.String(), Reserved: balance.Reserved.String(),
			From: moment(balance.From), To: moment(balance.To), Unknown: balance.Unknown,
		}
		if err := retold(balance.Budget, &shown.Budget); err != nil {
			return nil, err
		}
		out.Body.Budgets = append(out.Body.Budgets, shown)
	}
	return out, nil
}

// retold says the same in another type of the same JSON: amounts are texts
// there, which the document can tell and the domain reads.
func retold(from, into any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
