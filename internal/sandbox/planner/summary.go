package planner

import (
	"slices"
	"strings"
)

// summary says what was done for each thing that the caller asked for.
func (d *desk) summary(chains []*chain) string {
	var text strings.Builder
	text.WriteString(d.heading())
	for _, c := range chains {
		text.WriteString("\n- " + string(c.intent) + ": " + c.report(d))
	}
	if made := d.assumed(); len(made) > 0 {
		text.WriteString("\nMade up, for want of word: " + strings.Join(made, ", ") + ".")
	}
	return text.String()
}

func (d *desk) heading() string {
	if d.order.reference == "" && d.order.name == "" && d.order.amount == 0 {
		return "As asked:"
	}
	words := []string{d.described()}
	if d.order.name != "" {
		words = append(words, "for "+d.order.name)
	}
	if d.order.amount > 0 {
		words = append(words, "of R$ "+d.order.amount.Comma())
	}
	return strings.Join(words, " ") + "."
}

func (c *chain) report(d *desk) string {
	switch {
	case c.recipe == nil:
		return "none of the tools on offer does this."
	case c.lack != "":
		return "please tell me " + c.lack + "."
	}
	var parts []string
	for _, stage := range c.recipe.stages {
		for _, s := range stage {
			if call, made := d.made[s.tool]; made {
				parts = append(parts, strings.ReplaceAll(s.tool, "__", " ")+" ("+tell(call.Output)+")")
			}
		}
	}
	said := strings.Join(parts, "; ")
	if said == "" {
		said = "nothing to do"
	}
	if c.fault != "" {
		said += "; stopped at " + c.fault
	}
	return strings.TrimRight(said, ".") + "."
}

// smallTalk answers what asks for nothing that the planner knows.
func (d *desk) smallTalk() string {
	var servers []string
	for _, name := range d.names {
		server, _, _ := strings.Cut(name, "__")
		if !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	text := "I am Feira's offline planner, not a language model. I can charge, ship, quote, invoice, notify, track, refund and tell balances"
	if len(servers) == 0 {
		return text + ", once there are tools."
	}
	return text + ", with " + strings.Join(servers, ", ") + "."
}
