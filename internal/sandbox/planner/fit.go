package planner

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
)

// maxDepth is how far a schema is followed; one that refers to itself has no end.
const maxDepth = 12

// fitter makes values that a JSON Schema takes, of what is offered for them,
// what the order says and, for what is required and unknown, plain fillers.
type fitter struct {
	desk *desk
	root object
}

// object keeps of the offer what the schema declares, and adds what it requires.
func (f fitter) object(schema, offered object, under string, depth int) object {
	schema = f.resolve(schema, depth)
	properties, _ := schema["properties"].(object)
	if len(properties) == 0 {
		if offered == nil {
			return object{}
		}
		return offered
	}
	fitted := object{}
	if open, said := schema["additionalProperties"].(bool); !said || open {
		maps.Copy(fitted, offered)
	}
	for name, declared := range properties {
		value, there := offered[name]
		if !there && !slices.Contains(texts(schema["required"]), name) {
			continue
		}
		property, _ := declared.(object)
		fitted[name] = f.value(property, value, slot{name: name, under: under, depth: depth + 1})
	}
	return fitted
}

// slot is where a value goes.
type slot struct {
	name, under string
	depth       int
}

func (f fitter) value(schema object, offered any, at slot) any {
	schema = f.resolve(schema, at.depth)
	kind := kindOf(schema)
	if fixed, ok := schema["const"]; ok {
		return fixed
	}
	if offered == nil && at.depth <= maxDepth && kind != "object" && kind != "array" {
		offered = f.desk.known(at.name, at.under, kind == "integer")
	}
	if choices, ok := schema["enum"].([]any); ok && len(choices) > 0 {
		return choose(choices, offered)
	}
	switch kind {
	case "object":
		nested, _ := offered.(object)
		if at.depth > maxDepth {
			return object{}
		}
		return f.object(schema, nested, at.name, at.depth)
	case "array":
		return f.list(schema, offered, at)
	case "integer", "number":
		return numeric(schema, offered, kind)
	case "boolean":
		said, _ := offered.(bool)
		return said
	case "string":
		return f.text(schema, offered)
	default:
		if offered == nil {
			return "sandbox"
		}
		return offered
	}
}

func (f fitter) list(schema object, offered any, at slot) any {
	items, _ := schema["items"].(object)
	entries, ok := offered.([]any)
	if !ok && offered != nil {
		entries = []any{offered}
	}
	if len(entries) == 0 && at.depth <= maxDepth {
		entries = []any{nil}
	}
	fitted := make([]any, 0, len(entries))
	for _, entry := range entries {
		if len(items) == 0 {
			fitted = append(fitted, entry)
			continue
		}
		fitted = append(fitted, f.value(items, entry, slot{name: strings.TrimSuffix(at.name, "s"), under: at.name, depth: at.depth + 1}))
	}
	return fitted
}

// text tries the ways to write a value until the pattern takes one.
func (f fitter) text(schema object, offered any) string {
	text := written(offered)
	if text == "" {
		text = "sandbox"
		switch schema["format"] {
		case "date":
			text = f.desk.turn.Today.Format(time.DateOnly)
		case "date-time":
			text = f.desk.turn.Today.Format(time.RFC3339)
		case "email":
			text = "cliente@example.com"
		case "uri", "url":
			text = "https://example.com/"
		}
	}
	if pattern, err := regexp.Compile(written(schema["pattern"])); err == nil && !pattern.MatchString(text) {
		digits := brazil.Digits(text)
		for _, other := range []string{digits, hyphened(digits), "0000000000", "00000", "0"} {
			if pattern.MatchString(other) {
				text = other
				break
			}
		}
	}
	if limit, ok := schema["maxLength"].(float64); ok && limit >= 0 && len(text) > int(limit) {
		text = strings.ToValidUTF8(text[:int(limit)], "")
	}
	return text
}

// resolve follows references, and takes the first of several schemas.
func (f fitter) resolve(schema object, depth int) object {
	for ; depth <= maxDepth; depth++ {
		if reference, ok := schema["$ref"].(string); ok {
			schema = f.refer(reference)
			continue
		}
		narrowed := false
		for _, word := range []string{"allOf", "oneOf", "anyOf"} {
			choices, _ := schema[word].([]any)
			if len(choices) == 0 || kindOf(schema) != "" {
				continue
			}
			schema, _ = choices[0].(object)
			narrowed = true
			break
		}
		if !narrowed {
			return schema
		}
	}
	return schema
}

func (f fitter) refer(reference string) object {
	at := f.root
	path, local := strings.CutPrefix(reference, "#/")
	if !local {
		return nil
	}
	for part := range strings.SplitSeq(path, "/") {
		at, _ = at[part].(object)
	}
	return at
}

// kindOf is a schema's type, the first one that is not null.
func kindOf(schema object) string {
	if kind, ok := schema["type"].(string); ok {
		return kind
	}
	for _, kind := range texts(schema["type"]) {
		if kind != "null" {
			return kind
		}
	}
	if _, ok := schema["properties"].(object); ok {
		return "object"
	}
	return ""
}

// choose takes the choice that is offered, written alike, or the first one.
func choose(choices []any, offered any) any {
	for _, choice := range choices {
		if offered != nil && strings.EqualFold(written(choice), written(offered)) {
			return choice
		}
	}
	// A document's environment is a test unless the choices leave none: 2 is
	// how the tax office numbers it.
	if written(offered) == "homologacao" && len(choices) > 1 {
		return choices[1]
	}
	return choices[0]
}

func numeric(schema object, offered any, kind string) any {
	text := written(offered)
	if _, err := brazil.ParseCents(text); err == nil {
		if whole, _, _ := strings.Cut(text, "."); kind == "integer" {
			return json.Number(whole)
		}
		return json.Number(text)
	}
	if minimum, ok := schema["minimum"].(float64); ok {
		return minimum
	}
	return json.Number("1")
}

// written is a value as text; empty for what is none.
func written(value any) string {
	switch value := value.(type) {
	case nil, object, []any:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

func hyphened(digits string) string {
	if len(digits) != 8 {
		return digits
	}
	return digits[:5] + "-" + digits[5:]
}

func texts(value any) []string {
	list, _ := value.([]any)
	var found []string
	for _, entry := range list {
		if text, ok := entry.(string); ok {
			found = append(found, text)
		}
	}
	return found
}
