package mock_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/mock"
)

func parsed(t *testing.T, raw string) *mock.Set {
	t.Helper()
	set, err := mock.Parse([]byte(raw))
	require.NoError(t, err)
	return set
}

// Each outcome as its caller reads it, byte for byte.
func TestAnswers(t *testing.T) {
	t.Parallel()
	set := parsed(t, `{
		"asaas/create_payment": {"id": "pay_42", "value": 10.50, "note": "<b>é"},
		"asaas/get_payment": [{"status": "PENDING"}, {"status": "CONFIRMED"}],
		"codespar_charge": {"id": "ch_1"}
	}`)
	for _, test := range []struct {
		set   *mock.Set
		tool  string
		given int
		want  string
		index int
	}{
		{set, "asaas/create_payment", 0, `{"id":"pay_42","value":10.50,"note":"<b>é"}`, 0},
		{set, "asaas/create_payment", 1000, `{"id":"pay_42","value":10.50,"note":"<b>é"}`, 0},
		{set, "asaas/get_payment", 0, `{"status":"PENDING"}`, 1},
		{set, "asaas/get_payment", 1, `{"status":"CONFIRMED"}`, 2},
		{set, "asaas/get_payment", 2, `{"code":"mocks_exhausted","message":"mock store exhausted for tool asaas/get_payment after 2 calls"}`, 0},
		{set, "asaas/get_payment", 3, `{"code":"mocks_exhausted","message":"mock store exhausted for tool asaas/get_payment after 2 calls"}`, 0},
		{set, "codespar_charge", 0, `{"id":"ch_1"}`, 0},
		{set, "asaas/create_paymnet", 0, `{"code":"tool_not_mocked","tool_name":"asaas/create_paymnet","message":"tool asaas/create_paymnet has no matching mock in this session; declare a mock entry or omit the mocks field"}`, 0},
		{set, "asaas__create_payment", 0, `{"code":"tool_not_mocked","tool_name":"asaas__create_payment","message":"tool asaas__create_payment has no matching mock in this session; declare a mock entry or omit the mocks field"}`, 0},
		{set, "codespar_pay", 0, `{"code":"tool_not_mocked","tool_name":"codespar_pay","message":"tool codespar_pay has no matching mock in this session; declare a mock entry or omit the mocks field"}`, 0},
		{parsed(t, `{}`), "a/b", 0, `{"code":"tool_not_mocked","tool_name":"a/b","message":"tool a/b has no matching mock in this session; declare a mock entry or omit the mocks field"}`, 0},
		{nil, "a/b", 0, `{"code":"tool_not_mocked","tool_name":"a/b","message":"tool a/b has no matching mock in this session; declare a mock entry or omit the mocks field"}`, 0},
		{mock.Read([]byte(`{"a/b":1}`)), "a/b", 0, `{"code":"mocks_engine_error","message":"the mocks of this session cannot be read; open another session"}`, 0},
	} {
		t.Run(test.tool+" "+strconv.Itoa(test.given), func(t *testing.T) {
			t.Parallel()
			answer := test.set.Answer(test.tool, test.given)
			require.Equal(t, test.index, answer.Index)
			outcome, failed := mock.OutcomeOf(&events.ToolReturned{Error: answer.Fault, Mock: &events.MockAnswer{Tool: test.tool}})
			require.Equal(t, answer.Fault != nil, failed)
			if !failed {
				require.Equal(t, test.want, answer.Output)
				return
			}
			require.Empty(t, answer.Output)
			told, err := json.Marshal(outcome)
			require.NoError(t, err)
			require.Equal(t, test.want, string(told))
		})
	}
}

func TestOutcomesOfOthersAreNotTheMocks(t *testing.T) {
	t.Parallel()
	fault := &events.ToolFault{Code: events.FaultProviderError}
	for _, returned := range []*events.ToolReturned{{Status: events.ToolOK}, {Error: fault}, {Mock: &events.MockAnswer{Tool: "a/b"}}} {
		_, ok := mock.OutcomeOf(returned)
		require.False(t, ok)
	}
}

func TestEqualSets(t *testing.T) {
	t.Parallel()
	var none *mock.Set
	broken, worse := mock.Read([]byte(`1`)), mock.Read([]byte(`2`))
	base := parsed(t, `{"a":{"n":1},"b":[{"n":1}]}`)
	require.True(t, base.Equal(parsed(t, ` { "b" : [{"n":1}], "a":{"n":1}}`)))
	require.True(t, none.Equal(nil))
	require.True(t, broken.Equal(mock.Read([]byte(`1`))))
	for _, other := range []*mock.Set{
		nil, parsed(t, `{}`), parsed(t, `{"a":{"n":1}}`), parsed(t, `{"a":{"n":2},"b":[{"n":1}]}`), parsed(t, `{"a":[{"n":1}],"b":[{"n":1}]}`),
		parsed(t, `{"a":{"n":1},"b":[{"n":1},{"n":1}]}`), broken,
	} {
		require.False(t, base.Equal(other))
		require.False(t, other.Equal(base))
	}
	require.False(t, broken.Equal(worse))
	require.Nil(t, none.Raw())
}

func TestBuiltIns(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"codespar_list_tools", "codespar_discover", "codespar_manage_connections"} {
		require.True(t, mock.BuiltIn(name))
	}
	for _, name := range []string{"codespar_charge", "codespar_pay", "asaas/codespar_list_tools", "list_tools", "codespar/list_tools", ""} {
		require.False(t, mock.BuiltIn(name))
	}
}
