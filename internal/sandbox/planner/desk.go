package planner

import (
	"regexp"
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
)

// desk is what a step is worked out from: the order, what is on offer and what
// has come back.
type desk struct {
	order order
	turn  Turn
	tools map[string]Tool
	names []string        // of the tools, in the order of the offer
	made  map[string]Call // the first call of each tool in this turn
}

func newDesk(turn Turn, tools []Tool) *desk {
	d := &desk{order: readOrder(turn.Text).recall(turn.Said), turn: turn, tools: map[string]Tool{}, made: map[string]Call{}}
	for _, tool := range tools {
		d.tools[tool.Name] = tool
		d.names = append(d.names, tool.Name)
	}
	for _, round := range turn.Rounds {
		for _, call := range round {
			if _, again := d.made[call.Name]; !again {
				d.made[call.Name] = call
			}
		}
	}
	return d
}

// wants reports whether the caller asked for something.
func (d *desk) wants(i intent) bool { return slices.Contains(d.order.intents, i) }

// says reports whether the caller's text has a word, in any case.
func (d *desk) says(words ...string) bool {
	text := strings.ToLower(d.order.text)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// id is that of what a tool of this turn made.
func (d *desk) id(tool string) string { return identity(d.made[tool].Output) }

// Ids of the providers, as they stand in a text.
var (
	intentID   = regexp.MustCompile(`\bpi_[A-Za-z0-9]{8,64}`)
	paymentID  = regexp.MustCompile(`\bpay_[A-Za-z0-9]{6,64}`)
	documentID = regexp.MustCompile(`\bnfe_[A-Za-z0-9]{8,64}`)
	parcelID   = regexp.MustCompile(`\b[A-Z]{2}[0-9]{9}BR\b`)
	orderID    = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
)

// mention finds an id in the caller's text, or the last one in the
// conversation before.
func (d *desk) mention(pattern *regexp.Regexp) string {
	if id := pattern.FindString(d.order.text); id != "" {
		return id
	}
	for _, text := range slices.Backward(d.turn.Earlier) {
		if found := pattern.FindAllString(text, -1); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

// party is somebody who sends or receives.
type party struct {
	name, taxpayer, phone, email string
	place                        brazil.Place
}

// Places that stand in when the caller names none.
const (
	senderCEP    = "01001000"
	recipientCEP = "01310100"
)

// sender is the merchant, of whom a conversation says little.
func (d *desk) sender() party {
	return party{
		name: "Loja da Feira", taxpayer: brazil.CNPJ("sender"), phone: "551130000001", email: "loja@example.com",
		place: place(d.order.from, senderCEP),
	}
}

// recipient is the customer.
func (d *desk) recipient() party {
	p := party{
		name: d.order.name, taxpayer: d.order.taxpayer, phone: d.order.phone, email: d.order.email, place: place(d.order.to, recipientCEP),
	}
	if p.name == "" {
		p.name = "Cliente da Feira"
	}
	if p.taxpayer == "" {
		p.taxpayer = brazil.CPF(p.name)
	}
	return p
}

func place(cep, fallback string) brazil.Place {
	found, ok := brazil.FindPlace(cep)
	if !ok {
		found, _ = brazil.FindPlace(fallback)
	}
	return found
}

// assumed lists what the caller left out and was made up.
func (d *desk) assumed() []string {
	var made []string
	if !d.wants(intentCharge) && !d.wants(intentShip) && !d.wants(intentInvoice) {
		return nil
	}
	if d.order.name == "" {
		made = append(made, "the customer's name")
	}
	if d.order.taxpayer == "" && (d.wants(intentCharge) || d.wants(intentInvoice)) {
		made = append(made, "the customer's CPF")
	}
	if d.order.from == "" && d.wants(intentShip) {
		made = append(made, "the sender's address")
	}
	return made
}
