package providertest

import "github.com/feira-dev/feira/internal/agent"

// Subject is a tool of one class, and what a call of it does.
type Subject struct {
	Server, Tool string
	// Arguments say "%s" for the id of what Prepare made last.
	Arguments string
	// Effect is the name of it in the journal; empty for a tool without.
	Effect string
	Safety agent.Safety
	// Prepare makes what the arguments name: pairs of tool and arguments, each
	// with the id of the one before for "%s".
	Prepare [][2]string
	// Traced is set where the effect is found again.
	Traced bool
}

// Subjects are a tool of each class.
func Subjects() map[string]Subject {
	const customer = `{"name":"Maria Silva","cpfCnpj":"52998224725"}`
	return map[string]Subject{
		"read":  {Server: "asaas", Tool: "get_balance", Arguments: `{}`, Safety: agent.SafetyRead},
		"keyed": {Server: "stripe", Tool: "create_payment_intent", Arguments: `{"amount":500,"currency":"brl"}`, Effect: "payment_intent.created", Safety: agent.SafetyKeyed},
		"idempotent": {
			Server: "asaas", Tool: "delete_payment", Arguments: `{"id":"%s"}`, Effect: "payment.deleted", Safety: agent.SafetyIdempotent,
			Prepare: [][2]string{{"create_customer", customer}, {"create_payment", `{"customer":"%s","billingType":"PIX","value":5,"dueDate":"2026-12-09"}`}},
		},
		"unsafe, found again": {Server: "asaas", Tool: "create_customer", Arguments: customer, Effect: "customer.created", Safety: agent.SafetyUnsafe, Traced: true},
		"unsafe": {
			Server: "z-api", Tool: "send_text", Arguments: `{"phone":"5511987654321","message":"oi"}`, Effect: "message.sent", Safety: agent.SafetyUnsafe,
		},
	}
}
