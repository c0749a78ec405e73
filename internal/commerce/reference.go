package commerce

// Reference is what a step of a recipe gives a server to know its effect by,
// where that server's events tell it again.
type Reference struct {
	Server string
	// Text is the step's key.
	Text string
}

// References are all that a call of a meta-tool with that key may leave with
// servers: which of its recipes is made is not known before it is. It is empty
// for tools that leave none.
func References(tool, key string) []Reference {
	var steps []step
	switch tool {
	case toolCharge:
		steps = []step{
			{server: serverAsaas, name: stepCreatePayment},
			{server: serverStripe, name: stepCreateIntent},
			{server: serverStripe, name: stepCreatePage},
		}
	case toolPay:
		steps = []step{{server: serverAsaas, name: stepCreateTransfer}}
	case toolShip:
		steps = []step{{server: serverMelhorEnvio, name: stepCreateShipment}}
	}
	found := make([]Reference, 0, len(steps))
	for _, one := range steps {
		found = append(found, Reference{Server: one.server, Text: stepKey(key, one.name)})
	}
	return found
}

// Names of the steps that make what servers' events tell of.
const (
	stepCreatePayment  = "create_payment"
	stepCreateIntent   = "create_payment_intent"
	stepCreatePage     = "create_checkout_session"
	stepCreateTransfer = "create_transfer"
	stepCreateShipment = "create_shipment"
)
