package planner

import (
	"encoding/json"
	"slices"
	"strings"
)

type object = map[string]any

// step is one tool call of a chain.
type step struct {
	tool string
	// optional: the chain goes on without it, or with its error.
	optional bool
	// last: it waits until every other chain has come to its end.
	last bool
	// arguments are nil when what they need has not come back.
	arguments func(d *desk) object
}

// recipe is one way to do what an intent asks for.
type recipe struct {
	intent intent
	// words, when the caller says one of them, put the recipe before those
	// that the book lists earlier.
	words []string
	// needs says what the caller must still tell; empty when nothing.
	needs func(d *desk) string
	// stages follow one another; the steps of one stage go side by side.
	stages [][]step
}

// chain is a recipe at work, and how far it has come.
type chain struct {
	intent intent
	recipe *recipe // nil when no tool on offer can do it
	lack   string  // what the caller must still tell
	fault  string  // why it was dropped
}

// servable reports whether the tools that the recipe cannot do without are on offer.
func (r recipe) servable(d *desk) bool {
	for _, stage := range r.stages {
		for _, s := range stage {
			if _, offered := d.tools[s.tool]; !offered && !s.optional {
				return false
			}
		}
	}
	return true
}

// chains picks a recipe for each intent.
func (d *desk) chains() []*chain {
	var chains []*chain
	for _, wanted := range d.order.intents {
		c := &chain{intent: wanted}
		for _, r := range book() {
			if r.intent != wanted || !r.servable(d) {
				continue
			}
			if c.recipe == nil || !d.says(c.recipe.words...) && d.says(r.words...) {
				c.recipe = &r
			}
		}
		if c.recipe == nil {
			c.recipe = d.improvise(wanted)
		}
		if c.recipe != nil && c.recipe.needs != nil {
			c.lack = c.recipe.needs(d)
		}
		chains = append(chains, c)
	}
	return chains
}

// improvise makes a recipe of one step for a tool that the book does not know,
// by the words in its name.
func (d *desk) improvise(wanted intent) *recipe {
	words := map[intent][]string{
		intentCharge: {"charge", "payment", "checkout"}, intentShip: {"shipment", "prepost", "label"}, intentInvoice: {"nfe", "nfse", "invoice"},
		intentNotify: {"send_text", "send_message", "notify"}, intentQuote: {"quote", "calculate"}, intentTrack: {"track", "status"},
		intentBalance: {"balance"}, intentRefund: {"refund"},
	}
	for _, word := range words[wanted] {
		for _, name := range d.names {
			_, tool, _ := strings.Cut(name, "__")
			reads := strings.HasPrefix(tool, "list_") || strings.HasPrefix(tool, "get_") || strings.HasPrefix(tool, "cancel_")
			if strings.Contains(tool, word) && (!reads || wanted == intentBalance) {
				arguments := func(*desk) object { return object{} }
				return &recipe{intent: wanted, stages: [][]step{{{tool: name, arguments: arguments}}}}
			}
		}
	}
	return nil
}

// next are the calls that can be made now.
func (d *desk) next(chains []*chain) []Call {
	var now, last []Call
	for _, c := range chains {
		for _, s := range c.open(d) {
			arguments := s.arguments(d)
			if arguments == nil {
				if !s.optional {
					c.fault = s.tool + ": what it needs did not come back"
				}
				continue
			}
			call := Call{Name: s.tool, Arguments: d.fit(s.tool, arguments)}
			if s.last {
				last = append(last, call)
			} else {
				now = append(now, call)
			}
		}
	}
	if len(now) == 0 {
		now = last
	}
	return distinct(now)
}

// open are the steps of the first stage that is not over; none when the chain
// is done or dropped.
func (c *chain) open(d *desk) []step {
	if c.recipe == nil || c.lack != "" || c.fault != "" {
		return nil
	}
	for _, stage := range c.recipe.stages {
		var open []step
		for _, s := range stage {
			if _, offered := d.tools[s.tool]; !offered {
				continue
			}
			call, made := d.made[s.tool]
			if !made {
				if s.optional && s.arguments(d) == nil {
					continue
				}
				open = append(open, s)
				continue
			}
			if trouble(call.Output) != "" && !s.optional {
				c.fault = s.tool
			}
		}
		if c.fault != "" {
			return nil
		}
		if len(open) > 0 {
			return open
		}
	}
	return nil
}

// distinct drops a tool that two chains ask for.
func distinct(calls []Call) []Call {
	var kept []Call
	for _, call := range calls {
		if !slices.ContainsFunc(kept, func(other Call) bool { return other.Name == call.Name }) {
			kept = append(kept, call)
		}
	}
	return kept
}

// fit makes a tool's arguments of what is offered for it.
func (d *desk) fit(tool string, offered object) string {
	f := fitter{desk: d}
	if err := json.Unmarshal(d.tools[tool].Parameters, &f.root); err != nil {
		f.root = nil
	}
	data, err := json.Marshal(f.object(f.root, offered, "", 0))
	if err != nil {
		return "{}"
	}
	return string(data)
}
