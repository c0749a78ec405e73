package llm_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/llm"
	"github.com/feira-dev/feira/internal/outcome"
)

const (
	kindJSON   = "application/json"
	kindStream = "text/event-stream"
)

// once fails the first attempt and answers the second.
func once(t *testing.T, name string, fail func(w http.ResponseWriter)) handler {
	t.Helper()
	return func(w http.ResponseWriter, _ *http.Request, attempt int) {
		if attempt == 1 {
			fail(w)
			return
		}
		send(t, w, name)
	}
}

func status(code int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		sendText(w, kindJSON, code, body)
	}
}

func TestFaultsThatPass(t *testing.T) {
	t.Parallel()
	begun := `data: {"choices":[{"index":0,"delta":{"content":"O ped"}}]}` + "\n\n"
	for name, test := range map[string]struct {
		stream bool
		fail   func(http.ResponseWriter)
		wait   time.Duration // exact, when named
		log    string
	}{
		"500":                          {fail: status(500, `{"error":{"message":"oops","type":"server_error"}}`), log: `HTTP 500 server_error: \"oops\"`},
		"503 without a body":           {fail: status(503, "")},
		"529":                          {fail: status(529, `{"error":"overloaded"}`), log: `HTTP 529: \"overloaded\"`},
		"408":                          {fail: status(408, "")},
		"409":                          {fail: status(409, "")},
		"425":                          {fail: status(425, "")},
		"429 with seconds":             {fail: status(429, `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`, "Retry-After", "7"), wait: 7 * time.Second, log: "HTTP 429 requests rate_limit_exceeded"},
		"429 with a date":              {fail: status(429, "", "Retry-After", "Mon, 23 Nov 2026 12:00:09 GMT"), wait: 9 * time.Second},
		"429 with milliseconds":        {fail: status(429, "", "Retry-After-Ms", "3500", "Retry-After", "20"), wait: 3500 * time.Millisecond},
		"429 with nonsense":            {fail: status(429, "", "Retry-After", "NaN")},
		"a 400 that wants another try": {fail: status(400, "", "X-Should-Retry", "true")},
		"cut before an answer":         {fail: func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, log: "reaching the operator: EOF"},
		"cut in the middle":            {fail: func(w http.ResponseWriter) { cut(w, kindJSON, `{"choices":[{"ind`) }, log: "the answer broke off"},
		"an error that says success":   {fail: status(200, `{"error":{"message":"upstream","code":502}}`), log: `error within the answer 502: \"upstream\"`},
		"stream: 500":                  {stream: true, fail: status(500, "oops"), log: "HTTP 500"},
		"stream: 429":                  {stream: true, fail: status(429, "", "Retry-After", "7"), wait: 7 * time.Second},
		"stream: cut in the middle":    {stream: true, fail: func(w http.ResponseWriter) { cut(w, kindStream, begun+`data: {"cho`) }, log: "the answer broke off"},
		"stream: ends too early":       {stream: true, fail: func(w http.ResponseWriter) { sendText(w, kindStream, 200, begun) }, log: "the stream ended before the reply did"},
		"stream: done too early":       {stream: true, fail: func(w http.ResponseWriter) { sendText(w, kindStream, 200, begun+"data: [DONE]\n\n") }, log: "the stream ended before the reply did"},
		"stream: nothing in it":        {stream: true, fail: func(w http.ResponseWriter) { sendText(w, kindStream, 200, "") }},
		"stream: an error first": {stream: true, fail: func(w http.ResponseWriter) {
			sendText(w, kindStream, 200, `data: {"error":{"message":"busy","type":"server_error"}}`+"\n\n")
		}, log: `error within the answer server_error: \"busy\"`},
		"stream: an error of text": {stream: true, fail: func(w http.ResponseWriter) { sendText(w, kindStream, 200, begun+`data: {"error":"busy"}`+"\n\n\n") }, log: "error within the answer"},
		"stream: an error, other order": {stream: true, fail: func(w http.ResponseWriter) {
			sendText(w, kindStream, 200, begun+`data: {"id":"1","error":{"code":502,"message":"upstream"},"choices":[]}`+"\n\n")
		}, log: `error within the answer 502: \"upstream\"`},
		"stream: an error without event": {stream: true, fail: func(w http.ResponseWriter) {
			sendText(w, kindStream, 200, `{"error":{"message":"busy","type":"server_error"}}`)
		}, log: "server_error"},
		"stream: JSON that says error": {stream: true, fail: status(200, `{"error":{"message":"busy"}}`), log: "busy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, onDelta := "text.json", (func(string))(nil)
			if test.stream {
				answer, onDelta = "text.sse", func(string) {}
			}
			bundle := setup(t, once(t, answer, test.fail))
			reply, err := bundle.client.Reply(t.Context(), prompt(), onDelta)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(wantText(), reply), "nothing of the broken answer is left")
			require.Equal(t, 2, bundle.attempts())
			require.Empty(t, cmp.Diff(bundle.requests[0], bundle.requests[1]))
			require.Len(t, bundle.time.waits, 1)
			if test.wait != 0 {
				require.Equal(t, test.wait, bundle.time.waits[0])
			}
			require.Contains(t, bundle.log.String(), test.log)
			require.NotContains(t, bundle.log.String(), canary)
		})
	}
}

func TestFaultsThatDoNotPass(t *testing.T) {
	t.Parallel()
	echo := `{"error":{"message":"Incorrect API key provided: ` + canary + `. It ends in ator","type":"invalid_request_error","code":"invalid_api_key"}}`
	huge := `{"choices":[{"index":0,"message":{"content":"` + strings.Repeat("a", 70_000) + `"}}]}`
	lines := func(texts ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			sendText(w, kindStream, 200, "data: "+strings.Join(texts, "\n\ndata: ")+"\n\ndata: [DONE]\n\n")
		}
	}
	many := strings.Repeat(`{"index":%d,"function":{"name":"a"}},`, 129)
	for i := range 129 {
		many = strings.Replace(many, "%d", fmt.Sprint(i), 1) //nolint:perfsprint // brevity
	}
	many = `{"choices":[{"index":0,"delta":{"tool_calls":[` + strings.TrimSuffix(many, ",") + `]},"finish_reason":"stop"}]}`
	calls := func(calls string) func(http.ResponseWriter) {
		return status(200, `{"choices":[{"index":0,"message":{"tool_calls":[`+calls+`]},"finish_reason":"tool_calls"}]}`)
	}
	for name, test := range map[string]struct {
		stream bool
		fail   func(http.ResponseWriter)
		want   error
		text   string
	}{
		"400":                           {fail: status(400, `{"error":{"message":"bad `+canary+`","type":"invalid_request_error","code":"unsupported_value"}}`), want: agent.ErrModelRefused, text: `HTTP 400 invalid_request_error unsupported_value: "bad [redacted]"`},
		"401":                           {fail: status(401, echo), want: agent.ErrModelRefused, text: "HTTP 401 invalid_request_error invalid_api_key"},
		"403":                           {fail: status(403, `{"error":{"message":"no","code":"unsupported_country_region_territory"}}`), want: agent.ErrModelRefused, text: "HTTP 403 unsupported_country_region_territory"},
		"404":                           {fail: status(404, `{"error":{"message":"The model does not exist","code":"model_not_found"}}`), want: agent.ErrModelRefused, text: "HTTP 404 model_not_found"},
		"413":                           {fail: status(413, "<html>"), want: agent.ErrModelRefused, text: "HTTP 413"},
		"422":                           {fail: status(422, `{"message":"no"}`), want: agent.ErrModelRefused, text: `HTTP 422: "no"`},
		"a redirect":                    {fail: status(307, "", "Location", "/elsewhere"), want: agent.ErrModelRefused, text: "HTTP 307"},
		"429 without money":             {fail: status(429, `{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}`), want: agent.ErrModelRefused, text: "HTTP 429 insufficient_quota:"},
		"a 500 that wants no other try": {fail: status(500, "", "X-Should-Retry", "false"), want: agent.ErrModelRefused, text: "HTTP 500"},
		"the key within the answer":     {fail: status(200, echo), want: agent.ErrModelRefused, text: "invalid_api_key"},
		"no JSON":                       {fail: status(200, "<html>"+canary), want: agent.ErrModelGarbage},
		"half JSON":                     {fail: status(200, `{"choices":[{"index":0`), want: agent.ErrModelGarbage},
		"nothing":                       {fail: status(200, ""), want: agent.ErrModelGarbage},
		"JSON of another kind":          {fail: status(200, `[1,2]`), want: agent.ErrModelGarbage},
		"no choices":                    {fail: status(200, `{"choices":[]}`), want: agent.ErrModelGarbage, text: "no choices"},
		"a huge body":                   {fail: status(200, huge), want: agent.ErrModelGarbage, text: "more than 65536 bytes"},
		"a call without name":           {fail: calls(`{"id":"1","type":"function","function":{"arguments":"{}"}}`), want: agent.ErrModelGarbage, text: "tool call 0"},
		"a call with an odd name":       {fail: calls(`{"id":"1","type":"function","function":{"name":"a b"}}`), want: agent.ErrModelGarbage, text: "tool call 0"},
		"stream: 401":                   {stream: true, fail: status(401, echo), want: agent.ErrModelRefused, text: "HTTP 401"},
		"stream: a page":                {stream: true, fail: func(w http.ResponseWriter) { sendText(w, "text/html; charset=utf-8", 200, "<html>") }, want: agent.ErrModelGarbage, text: "text/html came"},
		"stream: no JSON":               {stream: true, fail: lines("hello " + canary), want: agent.ErrModelGarbage, text: "chunk 1"},
		"stream: no choices":            {stream: true, fail: lines(`{"choices":[]}`, `{"choices":[]}`), want: agent.ErrModelGarbage, text: "no choices"},
		"stream: a call without name":   {stream: true, fail: lines(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"1"}]},"finish_reason":"stop"}]}`), want: agent.ErrModelGarbage, text: "tool call 0"},
		"stream: too many calls":        {stream: true, fail: lines(many), want: agent.ErrModelGarbage, text: "more than 128 tool calls"},
		"stream: a huge line":           {stream: true, fail: lines(strings.Repeat("a", 70_000)), want: agent.ErrModelGarbage, text: "more than 65536 bytes"},
		"stream: endless":               {stream: true, fail: lines(strings.Repeat(`{"choices":[{"index":0,"delta":{"content":"a"}}]}`+"\n\ndata: ", 2000)), want: agent.ErrModelGarbage, text: "more than 65536 bytes"},
		"stream: a context too long":    {stream: true, fail: lines(`{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`), want: agent.ErrModelRefused, text: "context_length_exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) { test.fail(w) },
				func(config *llm.Config) { config.MaxAnswer = 64 << 10 })
			var onDelta func(string)
			if test.stream {
				onDelta = func(string) {}
			}
			reply, err := bundle.client.Reply(t.Context(), prompt(), onDelta)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, "asking model gpt-4.1-mini: ")
			require.ErrorContains(t, err, test.text)
			require.Zero(t, reply)
			require.Equal(t, 1, bundle.attempts(), "no other try")
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", bundle.client), bundle.log.String()} {
				require.NotContains(t, text, canary)
			}
			require.NotContains(t, err.Error(), "ends in ator")
			require.Less(t, len(err.Error()), 700)
		})
	}
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) { status(503, "busy")(w) })
	_, err := bundle.client.Reply(t.Context(), prompt(), nil)
	require.ErrorContains(t, err, "asking model gpt-4.1-mini: HTTP 503")
	require.NotErrorIs(t, err, agent.ErrModelRefused)
	require.NotErrorIs(t, err, agent.ErrModelGarbage)
	require.Equal(t, outcome.ActionRetry, outcome.Of(t.Context(), err).Action)
	require.Greater(t, bundle.attempts(), 4)
	var sum time.Duration
	for i, wait := range bundle.time.waits {
		sum += wait
		base := min(500*time.Millisecond<<i, 15*time.Second)
		require.InDelta(t, base, wait, float64(base)/2+1, "wait %d", i)
	}
	require.Less(t, sum, time.Minute)
}

func TestALongWaitIsHandedOn(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) { status(429, "", "Retry-After", "600")(w) })
	_, err := bundle.client.Reply(t.Context(), prompt(), nil)
	require.Equal(t, outcome.Verdict{Action: outcome.ActionRetryAfter, After: 10 * time.Minute}, outcome.Of(t.Context(), err))
	require.Equal(t, 1, bundle.attempts())
	require.Empty(t, bundle.time.waits)
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	bundle := setup(t, nil, func(config *llm.Config) { config.BaseURL = server.URL })
	_, err := bundle.client.Reply(t.Context(), prompt(), nil)
	require.ErrorContains(t, err, "reaching the operator: dial tcp")
	require.NotContains(t, err.Error(), "/chat/completions")
	require.Greater(t, len(bundle.time.waits), 4)
}

func TestABrokenStreamIsHeardAnew(t *testing.T) {
	t.Parallel()
	bundle := setup(t, once(t, "text.sse", func(w http.ResponseWriter) {
		cut(w, kindStream, `data: {"choices":[{"index":0,"delta":{"content":"O pe","tool_calls":[{"index":0,"id":"1","function":{"name":"a"}}]},"finish_reason":"tool_calls"}]}`+"\n\n")
	}))
	var heard []string
	reply, err := bundle.client.Reply(t.Context(), prompt(), func(text string) { heard = append(heard, text) })
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(wantText(), reply))
	require.Equal(t, []string{"O pe", "O pedido", " saiu."}, heard)
}

func TestAStreamMayEndWithoutALineEnd(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) { send(t, w, "unended.sse") })
	reply, err := bundle.client.Reply(t.Context(), prompt(), func(string) {})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(agent.Reply{Model: "local", Text: "a", FinishReason: llm.FinishStop}, reply))
}

func TestFinishReasonsAndIds(t *testing.T) {
	t.Parallel()
	const call = `{"id":"%s","type":"function","function":{"name":"a","arguments":"{}"}}`
	for name, test := range map[string]struct{ message, told, want, ids string }{
		"stop":                 {`"content":"a"`, `"stop"`, llm.FinishStop, ""},
		"null":                 {`"content":"a"`, `null`, llm.FinishStop, ""},
		"length":               {`"content":"a"`, `"length"`, llm.FinishLength, ""},
		"a filter":             {`"content":null`, `"content_filter"`, llm.FinishFilter, ""},
		"a function":           {`"content":"a"`, `"function_call"`, llm.FinishToolCalls, ""},
		"unknown":              {`"content":"a"`, `"bored"`, llm.FinishOther, ""},
		"a refusal":            {`"refusal":"a"`, `"stop"`, llm.FinishStop, ""},
		"stop with calls":      {`"tool_calls":[` + fmt.Sprintf(call, "x") + `]`, `"stop"`, llm.FinishToolCalls, "x"},
		"calls of one id":      {`"tool_calls":[` + fmt.Sprintf(call, "x") + "," + fmt.Sprintf(call, "x") + `]`, `"tool_calls"`, llm.FinishToolCalls, "x,call_1"},
		"calls without ids":    {`"tool_calls":[` + fmt.Sprintf(call, "") + "," + fmt.Sprintf(call, "") + `]`, `"tool_calls"`, llm.FinishToolCalls, "call_0,call_1"},
		"an id that we invent": {`"tool_calls":[` + fmt.Sprintf(call, "call_1") + "," + fmt.Sprintf(call, "") + `]`, `"tool_calls"`, llm.FinishToolCalls, "call_1,call_2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
				sendText(w, kindJSON, 200, `{"choices":[{"index":0,"message":{"role":"assistant",`+test.message+`},"finish_reason":`+test.told+`}]}`)
			})
			reply, err := bundle.client.Reply(t.Context(), prompt(), nil)
			require.NoError(t, err)
			require.Equal(t, test.want, reply.FinishReason)
			require.Equal(t, "gpt-4.1-mini", reply.Model, "the name that was asked for")
			require.Zero(t, reply.Usage, "no usage is made up")
			var ids []string
			for _, call := range reply.ToolCalls {
				ids = append(ids, call.ID)
			}
			require.Equal(t, test.ids, strings.Join(ids, ","))
			if name == "a refusal" {
				require.Equal(t, "a", reply.Text)
			}
		})
	}
}
