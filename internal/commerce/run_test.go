package commerce_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

func failing(status events.ToolStatus, code string) agent.Result {
	return agent.Result{Status: status, Fault: &events.ToolFault{Code: code, Message: "the provider says no"}, Attempts: 2}
}

// A step that fails says what was done before it.
func TestAFaultTellsWhatWasDone(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.stand.results["asaas__create_payment"] = failing(events.ToolError, events.FaultProviderError)
	result := b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolError, result.Status)
	require.Equal(t, "codespar_charge stopped at step create_payment (asaas__create_payment): the provider says no; before that, customer cus_1 was created", result.Fault.Message)
	require.Equal(t, 2, result.Attempts)

	// Refused by the last step is not refused by the whole.
	b.stand.results["asaas__create_payment"] = failing(events.ToolRefused, events.FaultNoCredential)
	require.Equal(t, events.ToolError, b.do(t, "codespar_charge", pix).Status)
	// Refused by the first is.
	b.stand.results["asaas__list_customers"] = failing(events.ToolRefused, events.FaultNoCredential)
	result = b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolRefused, result.Status)
	require.Equal(t, events.FaultNoCredential, result.Fault.Code)
}

func TestAnUnknownStepMakesTheWholeUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.stand.results["asaas__create_payment"] = failing(events.ToolUnknown, events.FaultOutcomeUnknown)
	result := b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolUnknown, result.Status)
	require.Equal(t, events.FaultOutcomeUnknown, result.Fault.Code)
	require.Contains(t, result.Fault.Message, "stopped at step create_payment")
	require.Len(t, b.stand.looked, 1)
	require.Equal(t, b.stand.sent[2].Key, b.stand.looked[0].Key)

	// What is found is gone on from.
	b.stand.lookup = func(agent.Call) (agent.Result, bool) {
		return agent.Result{Status: events.ToolOK, Output: `{"id":"pay_9","status":"RECEIVED"}`}, true
	}
	var made struct{ ID, Status string }
	b.ok(t, "codespar_charge", pix, &made)
	require.Equal(t, "pay_9", made.ID)
	require.Equal(t, "succeeded", made.Status)
}

// In doubt, what cannot be made again is looked up first of all, and never sent.
func TestInDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", "z-api")
	b.call.InDoubt = true
	result := b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolUnknown, result.Status)
	require.Contains(t, result.Fault.Message, "create_payment")
	require.Empty(t, b.stand.sent)

	b.stand.lookup = func(call agent.Call) (agent.Result, bool) {
		require.Equal(t, "create_payment", call.Tool)
		return failing(events.ToolError, events.FaultProviderError), true
	}
	result = b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolError, result.Status, "its absence is proven")
	require.Empty(t, b.stand.sent)

	b.stand.lookup = func(agent.Call) (agent.Result, bool) {
		return agent.Result{Status: events.ToolOK, Output: `{"id":"pay_9","status":"PENDING"}`}, true
	}
	require.Equal(t, events.ToolOK, b.do(t, "codespar_charge", pix).Status)
	require.Equal(t, []string{"asaas__get_pix_qrcode"}, b.stand.sentTo())

	b.stand.lookup, b.stand.sent = nil, nil
	require.Equal(t, events.ToolUnknown, b.do(t, "codespar_notify", `{"channel":"whatsapp","to":"5511987654321","message":"x"}`).Status)
	require.Empty(t, b.stand.sent)

	// That it cannot be made now says nothing of the try before.
	b.call.Reach.Servers = []string{"correios"}
	result = b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolUnknown, result.Status)
	require.Contains(t, result.Fault.Message, "an earlier try")
	b.call.Reach.Servers = []string{"asaas"}
	result = b.do(t, "codespar_charge", strings.Replace(pix, "529.982.247-25", "1", 1))
	require.Equal(t, events.ToolUnknown, result.Status)
	// What does not fit the schema has never been sent.
	require.Equal(t, events.ToolRefused, b.do(t, "codespar_charge", `{}`).Status)
}

// A step that has become one to make again is made with its arguments, not with
// those that stand in while it is looked for.
func TestInDoubtAStepThatCanBeMadeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.call.InDoubt = true
	b.stand.tools["asaas__create_payment"], b.stand.tools["asaas__create_customer"] = agent.SafetyKeyed, agent.SafetyKeyed
	require.Equal(t, events.ToolOK, b.do(t, "codespar_charge", pix).Status)
	require.Contains(t, string(b.stand.sent[2].Arguments), `"customer":"cus_1"`)
	require.Empty(t, b.stand.looked)
}

// In doubt, a chain of keyed steps is made again with its keys.
func TestInDoubtAtAProviderThatHonoursKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, "stripe")
	card := strings.Replace(pix, "pix", "card", 1)
	require.Equal(t, events.ToolOK, b.do(t, "codespar_charge", card).Status)
	first := b.stand.sent
	b.stand.sent, b.call.InDoubt = nil, true
	require.Equal(t, events.ToolOK, b.do(t, "codespar_charge", card).Status)
	require.Len(t, b.stand.sent, len(first))
	for i, step := range b.stand.sent {
		require.True(t, step.InDoubt)
		require.Equal(t, first[i].Key, step.Key)
		require.Equal(t, first[i].Arguments, step.Arguments)
	}
}

// A client that breaks down may have sent by then.
func TestABrokenClient(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.stand.breaks = "asaas__create_payment"
	result := b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolUnknown, result.Status)
	require.NotContains(t, result.Fault.Message, "broken down: broken")
	b.stand.breaks = "asaas__list_customers"
	result = b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolError, result.Status)
	require.Equal(t, events.FaultPanic, result.Fault.Code)
}

// An answer that is good and cannot be read has had its effect.
func TestAnAnswerThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.stand.answers["asaas__create_payment"] = `{"id": "half`
	result := b.do(t, "codespar_charge", pix)
	require.Equal(t, events.ToolUnknown, result.Status)
	require.Contains(t, result.Fault.Message, "it had its effect")
	b.stand.answers["asaas__list_customers"] = `"text"`
	require.Equal(t, events.ToolError, b.do(t, "codespar_charge", pix).Status)
}

// What is too large is left out, the provider's own answer first.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.stand.answers["asaas__get_pix_qrcode"] = `{"payload":"000201","encodedImage":"` + strings.Repeat("a", 20<<10) + `"}`
	for size, wanted := range map[int]string{1 << 10: "raw pix_qr_code", 20 << 10: "pix_qr_code", 60 << 10: "pix_qr_code"} {
		b.stand.answers["asaas__create_payment"] = `{"id":"pay_1","status":"PENDING","note":"` + strings.Repeat("b", size) + `"}`
		var made map[string]any
		b.ok(t, "codespar_charge", pix, &made)
		for _, name := range []string{"raw", "pix_qr_code"} {
			require.Equal(t, strings.Contains(wanted, name), made[name] != nil, "%d %s", size, name)
		}
		require.Equal(t, "000201", made["pix_copy_paste"])
	}
	b.stand.answers["asaas__create_payment"] = `{"id":"pay_1","status":"PENDING"}`
	b.stand.answers["asaas__get_pix_qrcode"] = `{"payload":"` + strings.Repeat("0", 5000) + `","encodedImage":"` + strings.Repeat("a", 33<<10) + `"}`
	var made map[string]any
	b.ok(t, "codespar_charge", pix, &made)
	require.NotContains(t, made, "pix_qr_code")
	require.NotContains(t, made, "pix_copy_paste", "half a code is none")
}
