package planner

import "strings"

// Directives that say which calls to make. Each stands at the start of a line.
const (
	// DirectiveCall asks for exactly this call: a tool and its arguments,
	// which need not be JSON. Calls of neighbouring lines go side by side.
	DirectiveCall = "/call"
	// DirectiveThen begins another round.
	DirectiveThen = "/then"
	// DirectiveLoop asks for the same call after every round, without end.
	DirectiveLoop = "/loop"
	// DirectiveSay is the whole answer.
	DirectiveSay = "/say"
)

// obey follows the directives of the caller's text; false when it has none.
func obey(turn Turn) (Reply, bool) {
	var rounds [][]Call
	for line := range strings.Lines(turn.Text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case DirectiveSay:
			return Reply{Text: Mark + strings.TrimSpace(rest)}, true
		case DirectiveLoop:
			return Reply{Calls: []Call{parseCall(rest)}}, true
		case DirectiveThen:
			rounds = append(rounds, nil)
		case DirectiveCall:
			if len(rounds) == 0 {
				rounds = append(rounds, nil)
			}
			rounds[len(rounds)-1] = append(rounds[len(rounds)-1], parseCall(rest))
		}
	}
	if len(rounds) == 0 {
		return Reply{}, false
	}
	for i, round := range rounds {
		if i >= len(turn.Rounds) && len(round) > 0 {
			return Reply{Calls: round}, true
		}
	}
	return Reply{Text: Mark + "Made the calls asked for." + recount(turn)}, true
}

func parseCall(text string) Call {
	name, arguments, _ := strings.Cut(strings.TrimSpace(text), " ")
	if arguments = strings.TrimSpace(arguments); arguments == "" {
		arguments = "{}"
	}
	return Call{Name: name, Arguments: arguments}
}

// recount lists every call and what came of it.
func recount(turn Turn) string {
	var lines strings.Builder
	for _, round := range turn.Rounds {
		for _, call := range round {
			lines.WriteString("\n- " + call.Name + ": " + tell(call.Output))
		}
	}
	return lines.String()
}
