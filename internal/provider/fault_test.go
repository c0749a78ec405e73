package provider

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// One tool of each safety class, with arguments that fit.
const (
	customerArgs = `{"name":"Ana","cpfCnpj":"12345678909"}`
	intentArgs   = `{"amount":100,"currency":"brl"}`
	messageArgs  = `{"phone":"5511999999999","messageId":"M1"}`
)

type classCase struct{ server, tool, arguments string }

func classes() map[agent.Safety]classCase {
	return map[agent.Safety]classCase{
		agent.SafetyRead:       {"asaas", "get_balance", `{}`},
		agent.SafetyIdempotent: {"z-api", "read_message", messageArgs},
		agent.SafetyKeyed:      {"stripe", "create_payment_intent", intentArgs},
		agent.SafetyUnsafe:     {"asaas", "create_customer", customerArgs},
	}
}

func TestFaultsByClass(t *testing.T) {
	t.Parallel()
	type want struct {
		status events.ToolStatus
		code   string
		sent   int
	}
	const (
		read, idempotent, keyed, unsafe = agent.SafetyRead, agent.SafetyIdempotent, agent.SafetyKeyed, agent.SafetyUnsafe
	)
	failed := func(code string, sent int) want { return want{events.ToolError, code, sent} }
	unknown := func(sent int) want { return want{events.ToolUnknown, events.FaultOutcomeUnknown, sent} }
	all := func(w want) map[agent.Safety]want {
		return map[agent.Safety]want{read: w, idempotent: w, keyed: w, unsafe: w}
	}
	doubt := func(code string) map[agent.Safety]want {
		return map[agent.Safety]want{read: failed(code, 3), idempotent: unknown(3), keyed: unknown(3), unsafe: unknown(1)}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		want    map[agent.Safety]want
	}{
		"timeout":              {hang, doubt(events.FaultProviderTimeout)},
		"cut before an answer": {cut, doubt(events.FaultProviderError)},
		"cut in the answer":    {cutInBody, doubt(events.FaultProviderError)},
		"500":                  {answerWith(500, `{"message":"boom"}`), doubt(events.FaultProviderError)},
		"503":                  {answerWith(503, ``), doubt(events.FaultProviderError)},
		"408":                  {answerWith(408, ``), doubt(events.FaultProviderError)},
		"501":                  {answerWith(501, ``), all(failed(events.FaultProviderError, 1))},
		"400":                  {answerWith(400, `{"message":"no"}`), all(failed(events.FaultProviderError, 1))},
		"401":                  {answerWith(401, `{"message":"who?"}`), all(failed(events.FaultProviderError, 1))},
		"404":                  {answerWith(404, `<html>`), all(failed(events.FaultProviderError, 1))},
		"429":                  {answerWith(429, `{}`), all(failed(events.FaultProviderLimited, 3))},
		"redirect": {redirect, map[agent.Safety]want{
			read: failed(events.FaultProviderError, 1), idempotent: unknown(1), keyed: unknown(1), unsafe: unknown(1),
		}},
		"huge answer": {huge, map[agent.Safety]want{
			read: failed(events.FaultResultTooLarge, 1), idempotent: {events.ToolUnknown, events.FaultResultTooLarge, 1},
			keyed: {events.ToolUnknown, events.FaultResultTooLarge, 1}, unsafe: {events.ToolUnknown, events.FaultResultTooLarge, 1},
		}},
		"malformed JSON": {answerWith(200, `{"id":`), map[agent.Safety]want{
			read: failed(events.FaultProviderError, 1), idempotent: {events.ToolUnknown, events.FaultProviderError, 1},
			keyed: {events.ToolUnknown, events.FaultProviderError, 1}, unsafe: {events.ToolUnknown, events.FaultProviderError, 1},
		}},
	}
	for name, test := range tests {
		for class, want := range test.want {
			t.Run(name+"/"+string(class), func(t *testing.T) {
				t.Parallel()
				target := classes()[class]
				b := setup(t, target.server, test.handler, func(c *Config) {
					c.MaxResponse = 4096
					if name == "timeout" {
						c.Manifests[0].Timeout = Duration(50 * time.Millisecond) // a moment for every try
					}
				})
				result := b.call(t, target.tool, target.arguments)
				requireFault(t, result, want.status, want.code)
				require.Len(t, b.requests(), want.sent)
				require.Equal(t, want.sent, result.Attempts)
				if class == read {
					require.Equal(t, want.sent > 1, result.Passing, "what was tried again may be tried later, too")
				}
			})
		}
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func cutInBody(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, `{"id":`)
	_ = http.NewResponseController(w).Flush()
	cut(w, r)
}

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/base/elsewhere", http.StatusFound)
}

func huge(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"text":"`+strings.Repeat("x", 5000)+`"}`)
}

func TestNothingListeningIsTriedAgainByEveryClass(t *testing.T) {
	t.Parallel()
	for class, target := range classes() {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			b := setup(t, target.server, nil, func(c *Config) { c.BaseURLs[target.server] = "http://127.0.0.1:1" })
			result := b.call(t, target.tool, target.arguments)
			requireFault(t, result, events.ToolError, events.FaultProviderError)
			require.Equal(t, 3, result.Attempts)
		})
	}
}

func TestLimitedCallsWaitAsLongAsAsked(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	b := setup(t, "asaas", func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) == 1 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		answerWith(http.StatusOK, `{"id":"cus_1"}`)(w, nil)
	}, nil)
	result := b.call(t, "create_customer", customerArgs)
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
	require.Equal(t, 2, result.Attempts)
	require.Equal(t, []time.Duration{7 * time.Second}, b.waits)
}

func TestTheResetOfARateLimitIsWaitedFor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		reset, after string
		want         time.Duration
	}{
		"seconds":             {"30", "", 30 * time.Second},
		"a Unix time":         {strconv.FormatInt(now.Add(9*time.Second).Unix(), 10), "", 9 * time.Second},
		"a time that is past": {strconv.FormatInt(now.Add(-time.Second).Unix(), 10), "", 0},
		"Retry-After first":   {"30", "4", 4 * time.Second},
		"nonsense":            {"soon", "", 0},
		"less than nothing":   {"-3", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"X-Reset": {test.reset}, "Retry-After": {test.after}}
			limited := answer{status: http.StatusTooManyRequests, header: header}
			require.Equal(t, test.want, limited.retryAfter(RateLimitSpec{Reset: "X-Reset"}, now))
			if test.after == "" {
				require.Zero(t, limited.retryAfter(RateLimitSpec{}, now), "nobody said that this header says so")
				require.Zero(t, answer{status: http.StatusServiceUnavailable, header: header}.retryAfter(RateLimitSpec{Reset: "X-Reset"}, now))
			}
		})
	}
}

func TestAWaitBeyondTheCallsTimeIsNotBegun(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}, nil)
	requireFault(t, b.call(t, "create_customer", customerArgs), events.ToolError, events.FaultProviderLimited)
	require.Empty(t, b.waits)
	require.Len(t, b.requests(), 1)
}

func TestADoubtIsNotForgottenByALaterTry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		class agent.Safety
		then  int
		want  events.ToolStatus
	}{
		"idempotent, then gone":      {agent.SafetyIdempotent, 404, events.ToolUnknown},
		"keyed, then limited":        {agent.SafetyKeyed, 429, events.ToolUnknown},
		"keyed, then refused":        {agent.SafetyKeyed, 402, events.ToolError}, // the key makes it the answer to both
		"read, then gone":            {agent.SafetyRead, 404, events.ToolError},
		"idempotent, then it worked": {agent.SafetyIdempotent, 200, events.ToolOK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			target := classes()[test.class]
			b := setup(t, target.server, func(w http.ResponseWriter, r *http.Request) {
				if tries.Add(1) == 1 {
					cut(w, r)
					return
				}
				answerWith(test.then, `{}`)(w, r)
			}, nil)
			require.Equal(t, test.want, b.call(t, target.tool, target.arguments).Status)
		})
	}
}

func TestTriesOfAKeyedCallShareTheKey(t *testing.T) {
	t.Parallel()
	b := setup(t, "stripe", answerWith(http.StatusBadGateway, ``), nil)
	b.call(t, "create_payment_intent", intentArgs)
	for _, request := range b.requests() {
		require.Equal(t, "key-0001", request.Header.Get("Idempotency-Key"))
		require.Equal(t, "amount=100&currency=brl", request.Body)
	}
	require.Len(t, b.requests(), 3)
}

func TestAKeyedToolWithoutAKeyIsUnsafe(t *testing.T) {
	t.Parallel()
	b := setup(t, "stripe", answerWith(http.StatusBadGateway, ``), nil)
	call := b.request("create_payment_intent", intentArgs)
	call.Key = ""
	requireFault(t, b.client.Call(t.Context(), call), events.ToolUnknown, events.FaultOutcomeUnknown)
	require.Len(t, b.requests(), 1)
}

func TestStripeSaysItselfWhetherToRetry(t *testing.T) {
	t.Parallel()
	for header, sent := range map[string]int{"false": 1, "true": 3, "": 3} {
		b := setup(t, "stripe", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Stripe-Should-Retry", header)
			w.WriteHeader(http.StatusConflict)
		}, nil)
		requireFault(t, b.call(t, "create_payment_intent", intentArgs), events.ToolUnknown, events.FaultOutcomeUnknown)
		require.Len(t, b.requests(), sent, header)
	}
}

func TestACancelledCallerEndsTheCall(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 3)
	b := setup(t, "asaas", func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		hang(w, r)
	}, func(c *Config) { c.Wait = sleep })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	requireFault(t, b.client.Call(ctx, b.request("create_customer", customerArgs)), events.ToolUnknown, events.FaultOutcomeUnknown)
	require.Len(t, b.requests(), 1)
}

func TestProvidersWordsReachTheFaultCapped(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", answerWith(400, `{"errors":[{"code":"invalid_value","description":"O valor\u0000 é\u202e inválido`+strings.Repeat("!", 2000)+`"}]}`), nil)
	result := b.call(t, "create_customer", customerArgs)
	requireFault(t, result, events.ToolError, events.FaultProviderError)
	require.Contains(t, result.Fault.Message, "Asaas answered 400: invalid_value: O valor é inválido")
	require.Less(t, len(result.Fault.Message), 600)
}

func TestOutputIsCleanAndCapped(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{\n \"a\": \"x\\u0007\\u001b[31my\\u202e\xff\",\n \"n\": 10.50, \"z\": \""+strings.Repeat("ã", 400)+"\"}")
	}, func(c *Config) { c.MaxOutput = 300 })
	result := b.call(t, "get_balance", `{}`)
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
	require.Contains(t, result.Output, "{\"a\":\"x[31my\uFFFD\",\"n\":10.50,")
	require.Contains(t, result.Output, "[cut: the whole answer has ")
	require.LessOrEqual(t, len(result.Output), 300)
	require.Equal(t, strings.ToValidUTF8(result.Output, ""), result.Output)
}

func TestAnEmptyAnswerIsAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, "correios", answerWith(http.StatusNoContent, ``), nil)
	result := b.call(t, "cancel_prepost", `{"id":"PR1"}`)
	require.Equal(t, events.ToolOK, result.Status)
	require.JSONEq(t, `{"http_status":204}`, result.Output)
}
