package trigger_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

var born = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func fit() trigger.Trigger {
	return trigger.Trigger{
		ID: "trg_a", Tenant: "acme", Name: "shop", Event: trigger.All, URL: "https://shop.example/hooks?of=feira",
		Status: trigger.StatusActive, CreatedAt: born,
	}
}

func TestTriggersAreChecked(t *testing.T) {
	t.Parallel()
	require.NoError(t, fit().Validate(false))
	for name, test := range map[string]struct {
		change   func(*trigger.Trigger)
		loopback bool
		says     string
	}{
		"id":               {change: func(t *trigger.Trigger) { t.ID = "hook_a" }, says: "id: "},
		"tenant":           {change: func(t *trigger.Trigger) { t.Tenant = "a.b" }, says: "tenant: "},
		"no name":          {change: func(t *trigger.Trigger) { t.Name = "" }, says: "name has 0"},
		"long name":        {change: func(t *trigger.Trigger) { t.Name = strings.Repeat("a", 129) }, says: "name has 129"},
		"event":            {change: func(t *trigger.Trigger) { t.Event = "payment" }, says: "event has"},
		"event of wilds":   {change: func(t *trigger.Trigger) { t.Event = "*.confirmed" }, says: "event has"},
		"server":           {change: func(t *trigger.Trigger) { t.Server = "Stripe" }, says: "server_id"},
		"status":           {change: func(t *trigger.Trigger) { t.Status = "off" }, says: "status"},
		"created":          {change: func(t *trigger.Trigger) { t.CreatedAt = time.Time{} }, says: "created_at"},
		"no encryption":    {change: func(t *trigger.Trigger) { t.URL = "http://shop.example/" }, says: "https://"},
		"loopback":         {change: func(t *trigger.Trigger) { t.URL = "http://127.0.0.1:9/" }, says: "https://"},
		"foreign, allowed": {change: func(t *trigger.Trigger) { t.URL = "http://shop.example/" }, loopback: true, says: "https://"},
		"file":             {change: func(t *trigger.Trigger) { t.URL = "file:///etc/passwd" }, says: "webhook_url"},
		"credentials":      {change: func(t *trigger.Trigger) { t.URL = "https://me:hunter2@shop.example/" }, says: "credentials"},
		"fragment":         {change: func(t *trigger.Trigger) { t.URL = "https://shop.example/#a" }, says: "fragment"},
		"no host":          {change: func(t *trigger.Trigger) { t.URL = "https:///a" }, says: "webhook_url"},
		"long URL":         {change: func(t *trigger.Trigger) { t.URL = "https://a.example/" + strings.Repeat("a", 2048) }, says: "2066 bytes"},
	} {
		broken := fit()
		test.change(&broken)
		err := broken.Validate(test.loopback)
		require.ErrorIs(t, err, trigger.ErrInvalid, name)
		require.ErrorContains(t, err, test.says, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
	for _, local := range []string{"http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost:9/a"} {
		allowed := fit()
		allowed.URL = local
		require.NoError(t, allowed.Validate(true), local)
	}
}

func TestWhatATriggerHears(t *testing.T) {
	t.Parallel()
	paid := trigger.Event{Name: "payment.confirmed", Tenant: "acme", Server: "asaas", At: born.Add(time.Second)}
	for name, test := range map[string]struct {
		change func(*trigger.Trigger, *trigger.Event)
		want   bool
	}{
		"all":            {func(*trigger.Trigger, *trigger.Event) {}, true},
		"by name":        {func(t *trigger.Trigger, _ *trigger.Event) { t.Event = "payment.confirmed" }, true},
		"by kind":        {func(t *trigger.Trigger, _ *trigger.Event) { t.Event = "payment.*" }, true},
		"another kind":   {func(t *trigger.Trigger, _ *trigger.Event) { t.Event = "pay.*" }, false},
		"another name":   {func(t *trigger.Trigger, _ *trigger.Event) { t.Event = "payment.refunded" }, false},
		"its server":     {func(t *trigger.Trigger, _ *trigger.Event) { t.Server = "asaas" }, true},
		"another server": {func(t *trigger.Trigger, _ *trigger.Event) { t.Server = "stripe" }, false},
		"own, by server": {func(t *trigger.Trigger, e *trigger.Event) { t.Server, e.Server = "asaas", "" }, false},
		"another tenant": {func(_ *trigger.Trigger, e *trigger.Event) { e.Tenant = "loja" }, false},
		"paused":         {func(t *trigger.Trigger, _ *trigger.Event) { t.Status = trigger.StatusPaused }, true},
		"stopped":        {func(t *trigger.Trigger, _ *trigger.Event) { t.Status = trigger.StatusStopped }, false},
		"before it was":  {func(_ *trigger.Trigger, e *trigger.Event) { e.At = born.Add(-time.Second) }, false},
	} {
		to, event := fit(), paid
		test.change(&to, &event)
		require.Equal(t, test.want, to.Hears(event), name)
	}
}

func record(event events.Event) events.Record {
	return events.Record{Event: event, Sequence: 42, Envelope: events.Envelope{
		ID: "turn/1", Source: events.SessionSource("acme", "ses_1"), Type: event.EventType(), Time: born.Add(time.Minute),
		Tenant: "acme", Session: "ses_1", Request: "req_1",
	}}
}

func TestFactsBecomeDeliveries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fact           events.Event
		event, object  string
		session, holds string
	}{
		"turn": {
			fact:  &events.TurnCompleted{Status: events.TurnFailed, Reason: events.ReasonModelFailed, Message: strings.Repeat("é", 8000)},
			event: "turn.completed", object: "ses_1", session: "ses_1", holds: `"truncated":true`,
		},
		"budget": {
			fact:  &events.BudgetReached{Budget: "tools", Percent: 80, Unit: "money", Currency: "BRL", Limit: "10.00", Spent: "8.00", Period: "month"},
			event: "budget.reached", object: "tools", holds: `"currency":"BRL"`,
		},
		"webhook": {
			fact: &events.WebhookReceived{
				Connection: "ca_1", Server: "asaas", Event: "evt_1", Kind: "PAYMENT_RECEIVED", Fact: events.FactPaymentConfirmed, Object: "pay_1",
				Status: "RECEIVED", OccurredAt: born.Add(time.Minute), ToolCall: "tc_1",
			},
			event: "payment.confirmed", object: "asaas/pay_1", session: "ses_1", holds: `"tool_call_id":"tc_1"`,
		},
		"webhook without a word": {
			fact:  &events.WebhookReceived{Connection: "ca_1", Server: "asaas", Event: "evt_1", Kind: "NEW", Fact: "{}"},
			event: "webhook.received", object: "asaas/ses_1", session: "ses_1", holds: `"provider_event":"NEW"`,
		},
		"closed": {fact: &events.SessionClosed{Reason: "idle"}, event: "session.closed", object: "ses_1", session: "ses_1", holds: `"reason":"idle"`},
	} {
		event, ok := trigger.FromRecord(record(test.fact))
		require.True(t, ok, name)
		message, err := trigger.Delivery(fit(), event)
		require.NoError(t, err, name)
		again, err := trigger.Delivery(fit(), event)
		require.NoError(t, err, name)
		require.Equal(t, message, again, "the same fact makes another delivery")

		read, err := events.Decode(message)
		require.NoError(t, err, name)
		queued := read.Event.(*events.DeliveryQueued)
		require.Equal(t, test.event, queued.Event)
		require.Equal(t, test.object, queued.Object)
		require.Equal(t, uint64(42), queued.Cause)
		require.LessOrEqual(t, len(queued.Body), trigger.MaxBody)
		var body map[string]any
		require.NoError(t, json.Unmarshal(queued.Body, &body))
		require.Equal(t, test.event, body["type"])
		require.Equal(t, queued.ID, body["id"])
		require.Equal(t, "acme", body["tenant_id"])
		require.Equal(t, "2026-11-01T12:01:00Z", body["timestamp"])
		require.Contains(t, string(queued.Body), test.holds)
		if test.session == "" {
			require.NotContains(t, body, "session_id")
		} else {
			require.Equal(t, test.session, body["session_id"])
		}
		tenant, id, lane, err := events.SubjectTrigger(message.Subject)
		require.NoError(t, err)
		require.Equal(t, [...]string{"acme", "trg_a", string(events.LaneOf(test.object))}, [...]string{string(tenant), string(id), string(lane)})
	}
	_, ok := trigger.FromRecord(record(&events.ModelReplied{}))
	require.False(t, ok)
}

func TestIDsTellTriggersAndFactsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, of := range [][4]string{{"a", "trg_b", "c", "d"}, {"a", "trg_c", "c", "d"}, {"b", "trg_b", "c", "d"}, {"a", "trg_b", "cd", ""}, {"a", "trg_b", "c", "e"}} {
		seen[trigger.MessageID(events.TenantID(of[0]), events.TriggerID(of[1]), of[2], of[3])] = true
	}
	require.Len(t, seen, 5)
}

func TestAttemptsAreSpreadOverThreeDays(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	last := born
	for at := born; ; {
		next, more := trigger.Next(born, born, at.Add(100*time.Millisecond))
		if !more {
			break
		}
		waits = append(waits, next.Sub(last))
		at, last = next, next
	}
	require.Equal(t, []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}, waits)
	require.Equal(t, last.Sub(born), trigger.KeptFor())
	next, more := trigger.Next(born, born, born.Add(15*time.Second))
	require.True(t, more)
	require.Equal(t, born.Add(5*time.Minute+5*time.Second), next, "an attempt that took longer than the wait is not followed at once")
}

// However late the first attempt comes, the waits behind it are the same, until
// the delivery's own time is over.
func TestALateFirstAttemptBeginsTheTable(t *testing.T) {
	t.Parallel()
	end := born.Add(trigger.KeptFor())
	rapid.Check(t, func(t *rapid.T) {
		first := born.Add(time.Duration(rapid.Int64Range(0, int64(trigger.KeptFor()-2*time.Second)).Draw(t, "late")))
		attempts := []time.Time{first}
		for now := first; ; {
			next, more := trigger.Next(born, first, now)
			if !more {
				break
			}
			require.False(t, next.After(end))
			require.True(t, next.After(now.Add(time.Second)))
			attempts, now = append(attempts, next), next
		}
		require.Equal(t, end, attempts[len(attempts)-1], "it is tried for the whole of its time")
		waits := []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
		for n, wait := range waits {
			if n+2 < len(attempts) {
				require.Equal(t, wait, attempts[n+1].Sub(attempts[n]))
			}
		}
		for n := range len(attempts) - 4 {
			require.True(t, attempts[n+4].Equal(end) || attempts[n+4].Sub(attempts[n]) > time.Hour, "five in an hour are an endpoint that is down")
		}
	})
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer trigger.Answer
		want   trigger.Verdict
	}{
		{trigger.Answer{Status: 200}, trigger.Verdict{Delivered: true}},
		{trigger.Answer{Status: 204, RetryAfter: time.Hour}, trigger.Verdict{Delivered: true}},
		{trigger.Answer{Status: 301}, trigger.Verdict{Code: "http_301"}},
		{trigger.Answer{Status: 400}, trigger.Verdict{Code: "http_400"}},
		{trigger.Answer{Status: 410}, trigger.Verdict{Code: "http_410", Gone: true}},
		{trigger.Answer{Status: 429, RetryAfter: time.Minute}, trigger.Verdict{Code: "http_429", Hold: time.Minute}},
		{trigger.Answer{Status: 503, RetryAfter: 100 * time.Hour}, trigger.Verdict{Code: "http_503", Hold: 24 * time.Hour}},
		{trigger.Answer{Status: 500, RetryAfter: time.Minute}, trigger.Verdict{Code: "http_500"}},
		{trigger.Answer{Status: 429, RetryAfter: -time.Minute}, trigger.Verdict{Code: "http_429"}},
		{trigger.Answer{Fault: trigger.FaultTimeout}, trigger.Verdict{Code: "timeout"}},
	} {
		require.Equal(t, test.want, trigger.Judge(test.answer), "%+v", test.answer)
	}
}

// TestTellsKnowsWhatIsTold: whoever reads the log by its headers alone asks Tells.
func TestTellsKnowsWhatIsTold(t *testing.T) {
	t.Parallel()
	told := 0
	for _, event := range events.Catalogue() {
		_, ok := trigger.FromRecord(events.Record{Event: event})
		require.Equal(t, ok, trigger.Tells(event.EventType()), event.EventType())
		if ok {
			told++
		}
	}
	require.Equal(t, 4, told)
}
