package provider

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// fragile is a client whose breaker opens at the third failure in a row.
func fragile(open time.Duration) func(*Config) {
	return func(c *Config) { c.Tries, c.BreakerFailures, c.BreakerOpen = 1, 3, open }
}

func TestABrokenServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	for class, target := range classes() {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			b := setup(t, target.server, answerWith(http.StatusInternalServerError, ``), fragile(time.Hour))
			for range 3 {
				require.Equal(t, 1, b.call(t, target.tool, target.arguments).Attempts)
			}
			require.Len(t, b.requests(), 3)

			held := b.call(t, target.tool, target.arguments)
			requireFault(t, held, events.ToolError, events.FaultProviderError)
			require.Regexp(t, `has failed 3 times in a row or more.*nothing was sent; try again in (3600|3599) s`, held.Fault.Message)
			require.Zero(t, held.Attempts)
			require.Len(t, b.requests(), 3, "it was sent")

			other := b.request(target.tool, target.arguments)
			other.Tenant = "rival"
			require.Equal(t, 1, b.client.Call(t.Context(), other).Attempts, "another tenant's calls are kept back")
			other = b.request(target.tool, target.arguments)
			other.Environment = events.EnvironmentLive
			require.Equal(t, 1, b.client.Call(t.Context(), other).Attempts, "another environment's calls are kept back")
		})
	}
}

func TestARecoveredServerIsUsedAgain(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) {
		if healthy.Load() {
			answerWith(http.StatusOK, `{"id":"cus_1"}`)(w, r)
			return
		}
		cut(w, r)
	}, fragile(20*time.Millisecond))
	for range 3 {
		b.call(t, "create_customer", customerArgs)
	}
	healthy.Store(true)
	require.Eventually(t, func() bool { return b.call(t, "create_customer", customerArgs).Status == events.ToolOK }, 5*time.Second, 5*time.Millisecond)
	busy, idle := b.client.lanes.Size()
	require.Zero(t, busy+idle, "a healthy lane is remembered")
}

func TestABreakerOpeningWithinACallKeepsItsDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t, "stripe", answerWith(http.StatusBadGateway, ``), func(c *Config) { c.BreakerFailures = 2 })
	result := b.call(t, "create_payment_intent", intentArgs)
	requireFault(t, result, events.ToolUnknown, events.FaultOutcomeUnknown)
	require.Equal(t, 2, result.Attempts)
	require.Len(t, b.requests(), 2)
}

func TestLimitsAndRefusalsAreNoFailures(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 404, 409, 429, 501} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			b := setup(t, "asaas", answerWith(status, ``), fragile(time.Hour))
			for range 10 {
				b.call(t, "create_customer", customerArgs)
			}
			require.Len(t, b.requests(), 10)
		})
	}
}

func TestALimitBetweenFailuresIsNoSignOfLife(t *testing.T) {
	t.Parallel()
	answers := make(chan int, 8)
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) { answerWith(<-answers, `{}`)(w, r) }, fragile(time.Hour))
	send := func(statuses ...int) int {
		for _, status := range statuses {
			answers <- status
		}
		before := len(b.requests())
		for range statuses {
			b.call(t, "create_customer", customerArgs)
		}
		return len(b.requests()) - before
	}
	require.Equal(t, 4, send(500, 500, 200, 500), "a success ends the row")
	require.Equal(t, 3, send(429, 500, 500), "the row goes on over a limit")
	require.Equal(t, 0, send(200))
}

func TestACallInDoubtStaysSoWhenNothingIsSent(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"kept back":     func(c *Config) { c.BreakerFailures = 1 },
		"no credential": func(c *Config) { c.Credentials = fields{} },
		"nobody there":  func(c *Config) { c.BaseURLs["stripe"] = "http://127.0.0.1:1" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "stripe", answerWith(http.StatusBadGateway, ``), change)
			b.call(t, "retrieve_balance", `{}`) // opens the breaker where one failure does
			before := len(b.requests())
			call := b.request("create_payment_intent", intentArgs)
			call.InDoubt = true
			result := b.client.Call(t.Context(), call)
			requireFault(t, result, events.ToolUnknown, events.FaultOutcomeUnknown)
			require.Contains(t, result.Fault.Message, "an earlier try may have had its effect")
			require.Len(t, b.requests(), before)

			call.Tool, call.Arguments = "retrieve_balance", nil
			require.NotEqual(t, events.ToolUnknown, b.client.Call(t.Context(), call).Status, "a reading call has no effect to doubt")
		})
	}
}

func TestARefusedKeyDoesNotSettleADoubt(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]events.ToolStatus{
		401: events.ToolUnknown, 403: events.ToolUnknown, 429: events.ToolUnknown, 402: events.ToolError, 200: events.ToolOK,
	} {
		b := setup(t, "stripe", answerWith(status, `{}`), nil)
		call := b.request("create_payment_intent", intentArgs)
		call.InDoubt = true
		require.Equal(t, want, b.client.Call(t.Context(), call).Status, status)
	}
}

func TestCallsOfATenantAreBoundedAndWaitTheirTurn(t *testing.T) {
	t.Parallel()
	const most = 2
	arrived, free := make(chan struct{}, 8), make(chan struct{})
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-free
		answerWith(http.StatusOK, `{}`)(w, r)
	}, func(c *Config) { c.Tries, c.Concurrency, c.QueueWait = 1, most, 20*time.Millisecond })
	results := make(chan agent.Result, 8)
	begin := func(tenant events.TenantID) {
		call := b.request("create_customer", customerArgs)
		call.Tenant = tenant
		go func() { results <- b.client.Call(t.Context(), call) }()
	}
	for range most {
		begin("acme")
		<-arrived
	}
	held := b.call(t, "create_customer", customerArgs)
	requireFault(t, held, events.ToolError, events.FaultProviderLimited)
	require.Contains(t, held.Fault.Message, "2 calls of this business to Asaas are under way, which is the most at a time; nothing was sent; try again in 1 s")
	require.Zero(t, held.Attempts)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, events.ToolError, b.client.Call(ctx, b.request("create_customer", customerArgs)).Status)
	require.Len(t, b.requests(), most)

	begin("rival")
	<-arrived
	busy, _ := b.client.lanes.Size()
	require.Equal(t, 2, busy)
	close(free)
	for range most + 1 {
		require.Equal(t, events.ToolOK, (<-results).Status)
	}
	require.Equal(t, events.ToolOK, b.call(t, "create_customer", customerArgs).Status)
	busy, idle := b.client.lanes.Size()
	require.Zero(t, busy+idle)
}

func TestALongWaitIsToldAndKeepsOthersBack(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", limitedFor("3600"), nil)
	first := b.call(t, "create_customer", customerArgs)
	requireFault(t, first, events.ToolError, events.FaultProviderLimited)
	require.Contains(t, first.Fault.Message, "; try again in 3600 s")

	second := b.call(t, "get_balance", `{}`)
	requireFault(t, second, events.ToolError, events.FaultProviderLimited)
	require.Regexp(t, `Asaas has asked to be left alone; nothing was sent; try again in (3600|3599) s`, second.Fault.Message)
	require.Len(t, b.requests(), 1)
	require.Empty(t, b.waits)

	other := b.request("get_balance", `{}`)
	other.Tenant = "rival"
	b.client.Call(t.Context(), other)
	require.Len(t, b.requests(), 2, "another tenant's calls are kept back")
}

func TestAShortPauseIsSatOutByOthers(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			limitedFor("9")(w, r)
			return
		}
		answerWith(http.StatusOK, `{}`)(w, r)
	}, func(c *Config) { c.Tries = 1 })
	requireFault(t, b.call(t, "get_balance", `{}`), events.ToolError, events.FaultProviderLimited)
	require.Equal(t, events.ToolOK, b.call(t, "get_balance", `{}`).Status)
	require.Len(t, b.waits, 1)
	require.InDelta(t, 9, b.waits[0].Seconds(), 2)
}

func limitedFor(seconds string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", seconds)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}
