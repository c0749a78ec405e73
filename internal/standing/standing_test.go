package standing_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/standing"
)

const (
	key   = "key-of-the-call"
	later = "evt_late"
)

func place() events.ToolCallPlace {
	return events.ToolCallPlace{Session: "ses_1", Request: "req_1", Iteration: 1, Index: 1}
}

// story is a session's log with one call of two, the second of which is looked at.
type story struct {
	records []events.Record
}

func (s *story) add(event events.Event) {
	n := uint64(len(s.records) + 1)
	s.records = append(s.records, events.Record{
		Envelope: events.Envelope{Type: event.EventType(), Session: "ses_1", Request: "req_1", Time: time.Unix(int64(n), 0)}, Sequence: n, Event: event,
	})
}

func (s *story) asked() {
	s.add(&events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{{Name: "stripe__retrieve_balance"}, {Name: "stripe__create_payment_intent"}}})
	s.add(&events.ToolReturned{Iteration: 1, Server: "stripe", Status: events.ToolOK, Key: "another", Output: `{"object":"payment_intent","status":"canceled"}`})
}

func (s *story) returned(server string, output any) {
	text, _ := json.Marshal(output)
	s.add(&events.ToolReturned{Iteration: 1, Index: 1, Server: server, Status: events.ToolOK, Key: key, Output: string(text)})
}

func (s *story) told(fact events.Fact, change func(*events.WebhookReceived)) {
	event := &events.WebhookReceived{Connection: "ca_1", Server: "stripe", Event: "evt", Kind: "the provider's word", Fact: fact, Object: "pi_1", ToolCall: place().ID()}
	if change != nil {
		change(event)
	}
	s.add(event)
}

func (s *story) fold(kind standing.Kind) (*standing.Standing, []bool) {
	made := standing.New(kind, place())
	var news []bool
	for _, record := range s.records {
		news = append(news, made.Apply(record))
	}
	return made, news
}

func TestProvidersWords(t *testing.T) {
	t.Parallel()
	object := func(kind, status string) map[string]any {
		return map[string]any{"id": "x_1", "object": kind, "status": status}
	}
	for name, row := range map[string]struct {
		server string
		output any
		want   standing.Status
	}{
		"stripe intent to be paid":       {"stripe", object("payment_intent", "requires_payment_method"), standing.Pending},
		"stripe intent in process":       {"stripe", object("payment_intent", "processing"), standing.Pending},
		"stripe intent paid":             {"stripe", object("payment_intent", "succeeded"), standing.Succeeded},
		"stripe intent called off":       {"stripe", object("payment_intent", "canceled"), standing.Failed},
		"stripe refund":                  {"stripe", object("refund", "succeeded"), standing.Refunded},
		"stripe refund that failed":      {"stripe", object("refund", "failed"), standing.Failed},
		"stripe invoice open":            {"stripe", object("invoice", "open"), standing.Pending},
		"stripe invoice paid":            {"stripe", object("invoice", "paid"), standing.Succeeded},
		"stripe page open":               {"stripe", map[string]any{"object": "checkout.session", "status": "open", "payment_status": "unpaid"}, standing.Pending},
		"stripe page paid":               {"stripe", map[string]any{"object": "checkout.session", "status": "complete", "payment_status": "paid"}, standing.Succeeded},
		"stripe page expired":            {"stripe", map[string]any{"object": "checkout.session", "status": "expired", "payment_status": "unpaid"}, standing.Failed},
		"stripe word of another object":  {"stripe", object("subscription", "canceled"), standing.Unknown},
		"stripe customer":                {"stripe", map[string]any{"id": "cus_1", "object": "customer"}, standing.Unknown},
		"asaas pending":                  {"asaas", object("payment", "PENDING"), standing.Pending},
		"asaas overdue may still be":     {"asaas", object("payment", "OVERDUE"), standing.Pending},
		"asaas received":                 {"asaas", object("payment", "RECEIVED"), standing.Succeeded},
		"asaas confirmed":                {"asaas", object("payment", "CONFIRMED"), standing.Succeeded},
		"asaas refunded":                 {"asaas", object("payment", "REFUNDED"), standing.Refunded},
		"asaas disputed":                 {"asaas", object("payment", "CHARGEBACK_REQUESTED"), standing.Updated},
		"asaas transfer done":            {"asaas", object("transfer", "DONE"), standing.Succeeded},
		"asaas transfer failed":          {"asaas", object("transfer", "FAILED"), standing.Failed},
		"asaas deleted":                  {"asaas", map[string]any{"id": "pay_1", "status": "PENDING", "deleted": true}, standing.Failed},
		"asaas word that nobody knows":   {"asaas", object("payment", "TELEPORTED"), standing.Unknown},
		"charge of feira's":              {"codespar", object("", "succeeded"), standing.Succeeded},
		"charge of feira's, overdue":     {"codespar", object("", "overdue"), standing.Pending},
		"charge of feira's, called off":  {"codespar", object("", "cancelled"), standing.Failed},
		"word of a server without words": {"melhor-envio", object("", "succeeded"), standing.Unknown},
		"id that is no text":             {"asaas", map[string]any{"id": 7, "status": "PENDING"}, standing.Pending},
		"answer that is no object":       {"stripe", []string{"succeeded"}, standing.Unknown},
		"status that is no text":         {"stripe", map[string]any{"object": "payment_intent", "status": 7}, standing.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s story
			s.asked()
			s.returned(row.server, row.output)
			made, news := s.fold(standing.KindPayment)
			require.Equal(t, []bool{true, false, true}, news, "another call's outcome is no news")
			require.Equal(t, row.want, made.Status())
			require.Equal(t, key, made.Key())
			require.Equal(t, standing.CallSuccess, made.Call())
			require.Empty(t, made.Events())
			verified, _ := s.fold(standing.KindVerification)
			require.Equal(t, standing.Unknown, verified.Status(), "a payment is no verification")
			require.False(t, verified.Settled())
		})
	}
}

func TestFactsMovePayments(t *testing.T) {
	t.Parallel()
	type fact = events.Fact
	for name, row := range map[string]struct {
		facts   []fact
		want    standing.Status
		settled bool
	}{
		"nothing":               {nil, standing.Pending, false},
		"paid":                  {[]fact{events.FactPaymentConfirmed}, standing.Succeeded, true},
		"failed":                {[]fact{events.FactPaymentFailed}, standing.Failed, true},
		"failed, then paid":     {[]fact{events.FactPaymentFailed, events.FactPaymentConfirmed}, standing.Succeeded, true},
		"paid, then refunded":   {[]fact{events.FactPaymentConfirmed, events.FactPaymentRefunded}, standing.Refunded, true},
		"updated":               {[]fact{events.FactPaymentUpdated}, standing.Updated, false},
		"paid, then updated":    {[]fact{events.FactPaymentConfirmed, events.FactPaymentUpdated}, standing.Succeeded, true},
		"paid, then disputed":   {[]fact{events.FactPaymentConfirmed, events.FactPaymentDisputed}, standing.Updated, false},
		"a word of a later day": {[]fact{"payment.teleported"}, standing.Pending, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s story
			s.asked()
			s.returned("stripe", map[string]any{"id": "pi_1", "object": "payment_intent", "status": "processing"})
			for _, one := range row.facts {
				s.told(one, nil)
			}
			made, _ := s.fold(standing.KindPayment)
			require.Equal(t, row.want, made.Status())
			require.Equal(t, row.settled, made.Settled())
			require.Len(t, made.Events(), len(row.facts), "each is listed, whatever it was taken for")
			for n, event := range made.Events() {
				require.Equal(t, standing.Event{
					Type: string(row.facts[n]), ReceivedAt: time.Unix(int64(4+n), 0), Provider: "stripe", Action: "the provider's word", Object: "pi_1",
				}, event)
			}
		})
	}
}

func TestWhatAFactIsAbout(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*events.WebhookReceived)
		fact   events.Fact
		heard  bool
		want   standing.Status
	}{
		"the call by its name":       {nil, events.FactPaymentConfirmed, true, standing.Succeeded},
		"another call":               {func(e *events.WebhookReceived) { e.ToolCall = "tc_other" }, events.FactPaymentConfirmed, false, standing.Pending},
		"the object that it made":    {func(e *events.WebhookReceived) { e.ToolCall = "" }, events.FactPaymentConfirmed, true, standing.Succeeded},
		"another object":             {func(e *events.WebhookReceived) { e.ToolCall, e.Object = "", "pi_2" }, events.FactPaymentConfirmed, false, standing.Pending},
		"no object":                  {func(e *events.WebhookReceived) { e.ToolCall, e.Object = "", "" }, events.FactPaymentConfirmed, false, standing.Pending},
		"its id at another provider": {func(e *events.WebhookReceived) { e.ToolCall, e.Server = "", "asaas" }, events.FactPaymentConfirmed, false, standing.Pending},
		"what came late":             {func(e *events.WebhookReceived) { e.Event, e.Late = later, true }, events.FactPaymentFailed, true, standing.Pending},
		"no payment":                 {nil, events.FactShipmentDelivered, false, standing.Pending},
		"no fact":                    {nil, "", false, standing.Pending},
		"a verification":             {nil, events.FactVerificationApproved, false, standing.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s story
			s.asked()
			s.returned("stripe", map[string]any{"id": "pi_1", "object": "payment_intent", "status": "processing"})
			s.told(row.fact, row.change)
			made, news := s.fold(standing.KindPayment)
			require.Equal(t, row.heard, news[3])
			require.Equal(t, row.want, made.Status())
		})
	}
}

func TestFactsMoveVerifications(t *testing.T) {
	t.Parallel()
	for fact, want := range map[events.Fact]standing.Status{
		events.FactVerificationApproved: standing.Approved, events.FactVerificationRejected: standing.Rejected,
		"verification.expired": standing.Expired, "verification.review": standing.Review, "verification.unheard_of": standing.Unknown,
		events.FactPaymentConfirmed: standing.Unknown,
	} {
		var s story
		s.asked()
		s.returned("kyc", map[string]any{"id": "ver_1", "hosted_url": "https://kyc.example/ver_1"})
		s.told(fact, nil)
		made, _ := s.fold(standing.KindVerification)
		require.Equal(t, want, made.Status(), fact)
		require.Equal(t, want != standing.Unknown && want != standing.Review, made.Settled(), fact)
		require.Equal(t, "https://kyc.example/ver_1", made.HostedURL())
	}
}

// A place to go to is a provider's text: nothing but a plain https address is one.
func TestHostedURLIsSafe(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "javascript:alert(1)", "http://kyc.example", "https://user:secret@kyc.example", "https://", "//kyc.example", "\x00"} {
		var s story
		s.asked()
		s.returned("kyc", map[string]any{"hosted_url": address})
		made, _ := s.fold(standing.KindVerification)
		require.Empty(t, made.HostedURL(), address)
	}
}

func TestTheCallItself(t *testing.T) {
	t.Parallel()
	var s story
	made, _ := s.fold(standing.KindPayment)
	require.Equal(t, standing.CallAbsent, made.Call())
	s.asked()
	made, _ = s.fold(standing.KindPayment)
	require.Equal(t, standing.CallRunning, made.Call())
	require.Equal(t, standing.Pending, made.Status())
	require.False(t, made.Settled())
	for name, row := range map[string]struct {
		event events.ToolReturned
		want  standing.Status
	}{
		"refused before a key":  {events.ToolReturned{Status: events.ToolRefused, Error: &events.ToolFault{Code: "unknown_tool"}}, standing.Unknown},
		"refused by provider":   {events.ToolReturned{Status: events.ToolError, Key: key, Error: &events.ToolFault{Code: "provider_error"}}, standing.Failed},
		"perhaps done, unknown": {events.ToolReturned{Status: events.ToolUnknown, Key: key, Error: &events.ToolFault{Code: "outcome_unknown"}}, standing.Unknown},
	} {
		told := story{records: append([]events.Record(nil), s.records...)}
		row.event.Iteration, row.event.Index, row.event.Server = 1, 1, "stripe"
		told.add(&row.event)
		made, _ = told.fold(standing.KindPayment)
		require.Equal(t, standing.CallError, made.Call(), name)
		require.Equal(t, row.want, made.Status(), name)
		require.Equal(t, row.event.Status != events.ToolUnknown, made.Settled(), name)
		told.told(events.FactPaymentConfirmed, nil)
		made, _ = told.fold(standing.KindPayment)
		require.Equal(t, standing.Succeeded, made.Status(), "%s: the provider knows better", name)
	}
}

// What the provider told before its answer was written down is later than the
// answer, and the first answer is the one that counts.
func TestFactBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	var s story
	s.asked()
	s.told(events.FactPaymentConfirmed, nil)
	s.returned("stripe", map[string]any{"id": "pi_1", "object": "payment_intent", "status": "processing"})
	s.returned("stripe", map[string]any{"id": "pi_1", "object": "payment_intent", "status": "canceled"})
	made, news := s.fold(standing.KindPayment)
	require.Equal(t, []bool{true, false, true, true, false}, news)
	require.Equal(t, standing.Succeeded, made.Status())
}

// A call that a client makes itself is of a request that is started with it.
func TestCallOfAClient(t *testing.T) {
	t.Parallel()
	made := standing.New(standing.KindPayment, events.ToolCallPlace{Session: "ses_1", Request: "req_1"})
	start := &events.TurnStarted{Kind: events.KindCall, Call: &events.CallRequested{Tool: "asaas__create_payment"}}
	require.False(t, made.Apply(events.Record{Envelope: events.Envelope{Request: "req_2"}, Event: start}))
	require.True(t, made.Apply(events.Record{Envelope: events.Envelope{Request: "req_1"}, Event: start}))
	require.Equal(t, standing.CallRunning, made.Call())
}

// Nobody knew what became of a call. That the provider tells of what it made is
// an answer to it too, in whichever order the two are written down.
func TestAnEventAnswersACallThatWasInDoubt(t *testing.T) {
	t.Parallel()
	unknown := &events.ToolReturned{Iteration: 1, Index: 1, Server: "asaas", Status: events.ToolUnknown, Key: key, Error: &events.ToolFault{Code: events.FaultOutcomeUnknown}}
	for name, first := range map[string]bool{"the event first": true, "the event later": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s story
			s.asked()
			if first {
				s.told(events.FactPaymentConfirmed, nil)
			}
			s.add(unknown)
			if !first {
				before, _ := s.fold(standing.KindPayment)
				require.Equal(t, standing.CallError, before.Call())
				require.Equal(t, standing.Unknown, before.Status())
				require.False(t, before.Settled(), "the provider may tell yet")
				s.told(events.FactPaymentConfirmed, nil)
			}
			made, _ := s.fold(standing.KindPayment)
			require.Equal(t, standing.CallSuccess, made.Call())
			require.Equal(t, standing.Succeeded, made.Status())
			require.True(t, made.Settled())
		})
	}
}
