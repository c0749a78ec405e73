package argument

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ErrUnbounded occurs when a stranger's schema could take for ever to check
// with, by what it refers to.
var ErrUnbounded = errors.New("the schema cannot be checked in bounded time")

// maxWeight is how many places of a schema one value may be held against.
const maxWeight = 20_000

// CompileForeign is Compile for a schema that a stranger wrote. Patterns that Go
// cannot read match everything, and formats are remarks where the schema's draft
// has them so: the stranger checks, too. It returns [ErrUnbounded] for a schema whose references repeat
// themselves; each doubling would double the time.
func CompileForeign(raw json.RawMessage) (*jsonschema.Schema, error) {
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, err
	}
	weighing := &scale{root: document, known: map[string]int{}, under: map[string]bool{}}
	if weighing.weigh(document) > maxWeight {
		return nil, ErrUnbounded
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseRegexpEngine(lenient)
	return compile(compiler, raw)
}

// scale counts the places of a schema with all that it refers to in their stead.
type scale struct {
	root  any
	known map[string]int
	under map[string]bool // references that are being weighed
}

func (s *scale) weigh(node any) int {
	total := 1
	switch node := node.(type) {
	case map[string]any:
		for name, child := range node {
			switch name {
			case "$ref":
				target, isText := child.(string)
				if !isText {
					return maxWeight + 1
				}
				total += s.refer(target)
			case "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor":
				if _, isText := child.(string); isText || name == "$recursiveAnchor" {
					return maxWeight + 1
				}
				total += s.weigh(child) // a property of that name
			default:
				total += s.weigh(child)
			}
			if total > maxWeight {
				return total
			}
		}
	case []any:
		for _, child := range node {
			if total += s.weigh(child); total > maxWeight {
				return total
			}
		}
	}
	return total
}

// refer weighs what a reference within the document means. One that comes back
// to itself, or that is not understood, is too heavy.
func (s *scale) refer(target string) int {
	if weight, ok := s.known[target]; ok {
		return weight
	}
	pointer, local := strings.CutPrefix(target, "#")
	if !local || s.under[target] {
		return maxWeight + 1
	}
	node := s.root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if token == "" && pointer == "" {
			break
		}
		object, ok := node.(map[string]any)
		if !ok {
			return maxWeight + 1
		}
		if node, ok = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]; !ok {
			return maxWeight + 1
		}
	}
	s.under[target] = true
	weight := s.weigh(node)
	delete(s.under, target)
	s.known[target] = weight
	return weight
}

// lenient reads patterns as far as Go can.
func lenient(pattern string) (jsonschema.Regexp, error) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return anything(pattern), nil
	}
	return compiled, nil
}

// anything is a pattern that Go cannot read.
type anything string

// MatchString implements [jsonschema.Regexp].
func (anything) MatchString(string) bool { return true }

// String implements [jsonschema.Regexp].
func (a anything) String() string { return string(a) }
