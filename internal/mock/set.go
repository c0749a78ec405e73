package mock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/feira-dev/feira/events"
)

// Set is the mocks of a session. None, a nil one, has an answer for no tool. It
// is never changed, so it may be read by many at one time.
type Set struct {
	raw     json.RawMessage
	entries map[string]entry
	broken  bool
}

// entry is what one tool answers: the same each time, or one after the other.
type entry struct {
	list    bool
	answers []json.RawMessage
}

// Answer is what a tool call gets: an output or a fault.
type Answer struct {
	// Output is the JSON of the answer, as it was declared but for blanks.
	Output string
	// Index is the output's place, from 1, in a list; 0 where there is none.
	Index int
	// Fault says why there is no output.
	Fault *events.ToolFault
}

// Read is [Parse] for mocks that stand in a session's log. What cannot be read
// there gives a set that answers everything with a fault.
func Read(raw []byte) *Set {
	set, err := Parse(raw)
	if err != nil {
		return &Set{raw: raw, broken: true}
	}
	return set
}

// Raw is the set as JSON without blanks; nil for none.
func (s *Set) Raw() json.RawMessage {
	if s == nil {
		return nil
	}
	return s.raw
}

// Equal reports whether two sets give the same answers.
func (s *Set) Equal(other *Set) bool {
	if s == nil || other == nil {
		return s == other
	}
	if s.broken || other.broken {
		return s.broken == other.broken && bytes.Equal(s.raw, other.raw)
	}
	return maps.EqualFunc(s.entries, other.entries, func(a, b entry) bool {
		return a.list == b.list && slices.EqualFunc(a.answers, b.answers, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	})
}

// Answer answers a call of a tool, by its name among the mocks, of whose list
// so many answers were given before.
func (s *Set) Answer(tool string, given int) Answer {
	if s != nil && s.broken {
		return faulty(events.FaultMocksEngine, "the mocks of this session cannot be read; open another session")
	}
	var found entry
	if s != nil {
		found = s.entries[tool]
	}
	switch {
	case len(found.answers) == 0:
		return faulty(events.FaultToolNotMocked,
			fmt.Sprintf("tool %s has no matching mock in this session; declare a mock entry or omit the mocks field", tool))
	case !found.list:
		return Answer{Output: string(found.answers[0])}
	case given >= len(found.answers):
		return faulty(events.FaultMocksExhausted,
			fmt.Sprintf("mock store exhausted for tool %s after %d calls", tool, len(found.answers)))
	default:
		return Answer{Output: string(found.answers[given]), Index: given + 1}
	}
}

func faulty(code, message string) Answer {
	return Answer{Fault: &events.ToolFault{Code: code, Message: message}}
}
