package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/testenv"
)

// warned is an endpoint that is told of budgets: by percent, how often each id
// came.
type warned struct {
	mu   sync.Mutex
	told map[int]map[string]int
}

func (w *warned) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var told struct {
		ID, Type string
		Data     struct{ Percent int }
	}
	if json.NewDecoder(r.Body).Decode(&told) != nil || told.Type != "budget.reached" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told[told.Data.Percent] == nil {
		w.told[told.Data.Percent] = map[string]int{}
	}
	w.told[told.Data.Percent][told.ID]++
}

func (w *warned) events(percent int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.told[percent])
}

// Each part of a budget is told of once in its period, by the log and to the
// tenant's endpoint: though leaders die with -9 at the moment that it is reached,
// and though the limit is raised so that it is reached again.
func TestThresholdsAreToldOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.url = testenv.Restartable(t).URL
	limit := func(calls int) {
		file := filepath.Join(b.dir, fmt.Sprintf("limit-%d.yaml", calls))
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "tenants:\n  - id: tenant_acme\n    servers: [stripe]\n"+
			"    budgets: [{name: tools, unit: calls, period: total, limit: %d, reserve: 1}]\n", calls), 0o600))
		b.feira(t, "", "tenant", "apply", "-f", file)
	}
	all := filepath.Join(b.dir, "tenants.yaml")
	require.NoError(t, os.WriteFile(all, []byte(tenantsFile), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", all)
	b.sealCredentials(t)
	limit(10)
	endpoint := &warned{told: map[int]map[string]int{}}
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	b.env = append(b.env, "FEIRA_TRIGGERS_LOOPBACK=true")
	require.Contains(t, b.feira(t, "", "trigger", "create", "tenant_acme", server.URL, "--event", "budget.*", "--triggers-loopback"), "whsec_")
	role := func(name string) *testenv.Child {
		child := testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: b.env, Args: []string{"run", name, "--nats", b.url}})
		child.WaitForOutput(t, regexp.MustCompile("roles are up"))
		return child
	}
	leads := regexp.MustCompile(`"msg":"leading"`)
	leader := role("scheduler")
	leader.WaitForOutput(t, leads)
	standby := role("scheduler")
	role("worker")
	role("triggers")
	broker := b.connect(t)
	endings := func(status events.TurnStatus) (n int) {
		for _, record := range logged(t, broker, "tenant_acme") {
			if end, ok := record.Event.(*events.TurnCompleted); ok && end.Status == status {
				n++
			}
		}
		return n
	}
	spent := 0
	spend := func(calls int) {
		for range calls {
			message, err := events.NewRequest(events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall}, events.Request{
				Tool: "stripe__retrieve_balance", Arguments: json.RawMessage(`{}`),
			})
			require.NoError(t, err)
			_, err = broker.Requests().Publish(t.Context(), message)
			require.NoError(t, err)
		}
		spent += calls
		require.Eventually(t, func() bool { return endings(events.TurnCompletedOK) == spent }, patience, pace)
	}
	told := func(percent int) {
		require.Eventually(t, func() bool { return endpoint.events(percent) == 1 }, patience, pace)
	}
	dies := func() {
		leader.Kill(t)
		standby.WaitForOutput(t, leads)
		leader, standby = standby, role("scheduler")
	}
	spend(5)
	dies() // at 50 per cent of 10
	told(50)
	spend(3)
	dies() // at 80
	told(80)
	limit(20)
	spend(2) // 50 per cent of 20
	spend(6) // 80
	dies()
	spend(4) // 100
	dies()
	told(100)
	limit(40)
	limit(20)
	message, err := events.NewRequest(events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall}, events.Request{
		Tool: "stripe__retrieve_balance", Arguments: json.RawMessage(`{}`),
	})
	require.NoError(t, err)
	_, err = broker.Requests().Publish(t.Context(), message)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return endings(events.TurnRejected) == 1 }, patience, pace)

	var marks []string
	for _, record := range logged(t, broker, "tenant_acme") {
		if mark, ok := record.Event.(*events.BudgetReached); ok {
			marks = append(marks, fmt.Sprint(mark.Percent, " of ", mark.Limit, " at ", mark.Spent))
		}
	}
	require.Equal(t, []string{"50 of 10 at 5", "80 of 10 at 8", "100 of 20 at 20"}, marks, strings.Join(marks, "; "))
	for _, percent := range []int{50, 80, 100} {
		require.Equal(t, 1, endpoint.events(percent), "events of %d per cent that the endpoint was told of", percent)
	}
}
