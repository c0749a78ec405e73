package tenant_test

import (
	"encoding/json"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

func budgeted(change func(*tenant.Budget)) tenant.Tenant {
	b := tenant.Budget{Name: "calls", Unit: tenant.UnitCalls, Period: tenant.PerMonth, Limit: tenant.Whole(1000)}
	change(&b)
	return tenant.Tenant{ID: "acme", Servers: []string{"stripe"}, Budgets: []tenant.Budget{b}}.WithDefaults()
}

func TestBudgetFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*tenant.Budget)
		fault  string // "" when it is fit
	}{
		"plain":                   {func(*tenant.Budget) {}, ""},
		"longest name":            {func(b *tenant.Budget) { b.Name = "abcdefghijklmnopqrstuvwxyz012345" }, ""},
		"name too long":           {func(b *tenant.Budget) { b.Name = "abcdefghijklmnopqrstuvwxyz0123456" }, "budgets[0].name"},
		"no name":                 {func(b *tenant.Budget) { b.Name = "" }, "budgets[0].name"},
		"name with a dot":         {func(b *tenant.Budget) { b.Name = "a.b" }, "budgets[0].name"},
		"unit":                    {func(b *tenant.Budget) { b.Unit = "euro" }, "budgets[0].unit"},
		"currency of calls":       {func(b *tenant.Budget) { b.Currency = "BRL" }, "budgets[0].currency"},
		"money without currency":  {func(b *tenant.Budget) { b.Unit, b.Reserve = tenant.UnitMoney, 1 }, "budgets[0].currency"},
		"money":                   {func(b *tenant.Budget) { b.Unit, b.Currency, b.Reserve = tenant.UnitMoney, "BRL", 1 }, ""},
		"money without a reserve": {func(b *tenant.Budget) { b.Unit, b.Currency = tenant.UnitMoney, "BRL" }, "budgets[0].reserve"},
		"soft money":              {func(b *tenant.Budget) { b.Unit, b.Currency, b.Soft = tenant.UnitMoney, "BRL", true }, ""},
		"period":                  {func(b *tenant.Budget) { b.Period = "year" }, "budgets[0].period"},
		"zone":                    {func(b *tenant.Budget) { b.Zone = "America/Sao_Paulo" }, ""},
		"unknown zone":            {func(b *tenant.Budget) { b.Zone = "America/Nowhere" }, "budgets[0].zone"},
		"zone of the machine":     {func(b *tenant.Budget) { b.Zone = "Local" }, "budgets[0].zone"},
		"per":                     {func(b *tenant.Budget) { b.Per = "user" }, "budgets[0].per"},
		"no limit":                {func(b *tenant.Budget) { b.Limit = 0 }, "budgets[0].limit"},
		"least limit":             {func(b *tenant.Budget) { b.Limit = tenant.Whole(1) }, ""},
		"largest limit":           {func(b *tenant.Budget) { b.Limit = tenant.Whole(tenant.MaxBudget) }, ""},
		"limit too large":         {func(b *tenant.Budget) { b.Limit = tenant.Whole(tenant.MaxBudget + 1) }, "budgets[0].limit"},
		"part of a call":          {func(b *tenant.Budget) { b.Limit++ }, "budgets[0].limit"},
		"largest reserve":         {func(b *tenant.Budget) { b.Reserve = b.Limit }, ""},
		"reserve above the limit": {func(b *tenant.Budget) { b.Reserve = b.Limit + tenant.Whole(1) }, "budgets[0].reserve"},
		"negative reserve":        {func(b *tenant.Budget) { b.Reserve = -tenant.Whole(1) }, "budgets[0].reserve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := budgeted(test.change).Validate()
			if test.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tenant.ErrInvalid)
			require.ErrorContains(t, err, test.fault)
		})
	}
}

func TestBudgetsAreToldApart(t *testing.T) {
	t.Parallel()
	customer := budgeted(func(*tenant.Budget) {})
	customer.Budgets = append(customer.Budgets, customer.Budgets[0])
	require.ErrorContains(t, customer.Validate(), `budgets[1].name: "calls" is there twice`)
	customer.Budgets = nil
	for i := range tenant.MaxBudgets + 1 {
		require.NoError(t, customer.Validate())
		b := budgeted(func(b *tenant.Budget) { b.Name = string(rune('a' + i)) }).Budgets[0]
		customer.Budgets = append(customer.Budgets, b)
	}
	require.ErrorContains(t, customer.Validate(), "budgets has 17 entries, at most 16")
}

func TestBudgetAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]tenant.Amount{
		"1": tenant.Whole(1), "12.50": 12_500_000, "0.000001": 1, "1000000000000": tenant.Whole(tenant.MaxBudget),
	} {
		read, err := tenant.ParseAmount(text)
		require.NoError(t, err, text)
		require.Equal(t, want, read, text)
	}
	for _, text := range []string{"", "-1", "+1", "1e3", "1.", ".5", "0.0000001", "1000000000001", "99999999999999999999", "NaN", "1_000"} {
		_, err := tenant.ParseAmount(text)
		require.ErrorIs(t, err, tenant.ErrInvalid, text)
	}
	require.Equal(t, "12.5", tenant.Amount(12_500_000).String())
	require.Equal(t, "0.000001", tenant.Amount(1).String())
	require.Equal(t, "-3", tenant.Whole(-3).String())
}

func TestBudgetIsReadAsWritten(t *testing.T) {
	t.Parallel()
	var read tenant.Budget
	require.NoError(t, yaml.UnmarshalWithOptions([]byte("name: cash\nunit: money\ncurrency: BRL\nperiod: day\nlimit: 12.50\nreserve: \"0.25\"\n"), &read, yaml.Strict()))
	require.Equal(t, tenant.Amount(12_500_000), read.Limit)
	require.Equal(t, tenant.Amount(250_000), read.Reserve)
	data, err := json.Marshal(read)
	require.NoError(t, err)
	var again tenant.Budget
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, read, again)
	require.NoError(t, json.Unmarshal([]byte(`{"limit":1000}`), &again))
	require.Equal(t, tenant.Whole(1000), again.Limit)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"limit":1e3}`), &again), tenant.ErrInvalid)
}

// What is set aside bounds the turn, so that no turn uses more than was
// reserved for it.
func TestReservesBoundATurn(t *testing.T) {
	t.Parallel()
	customer := budgeted(func(*tenant.Budget) {})
	require.Equal(t, tenant.Whole(tenant.DefaultTurnToolCalls), customer.Reserves(customer.Budgets[0], events.KindTurn))
	require.Equal(t, tenant.Whole(1), customer.Reserves(customer.Budgets[0], events.KindCall))
	customer.Limits.ToolCalls = 9
	require.Equal(t, tenant.Whole(9), customer.Reserves(customer.Budgets[0], events.KindTurn))
	customer.Budgets[0].Reserve = tenant.Whole(4)
	require.Equal(t, tenant.Whole(4), customer.Reserves(customer.Budgets[0], events.KindTurn))
	require.Equal(t, 4, customer.Bounds().ToolCalls)
	customer.Budgets[0].Soft = true
	require.Equal(t, 9, customer.Bounds().ToolCalls)
	tokens := budgeted(func(b *tenant.Budget) { b.Unit, b.Reserve = tenant.UnitTokens, tenant.Whole(500) })
	require.Equal(t, int64(500), tokens.Bounds().Tokens)
	require.Equal(t, tenant.Whole(500), tokens.Reserves(tokens.Budgets[0], events.KindTurn))
	require.Zero(t, tokens.Reserves(tokens.Budgets[0], events.KindCall))
}
