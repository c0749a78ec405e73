package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scope is what the braces of a layout may name.
type scope struct {
	// args are all arguments; rest those that "{*}" stands for.
	args map[string]any
	rest map[string]any
	// values are named with a dollar sign.
	values map[string]string
	// item is the element for which a list's layout is filled in, "{.}", and
	// number counts them from 1, "{#}"; 0 outside of a list's layout.
	item   any
	number int
}

// eachKey names, in a layout, the argument for each of whose elements the rest
// of the object is filled in: {"$each": "codes", "code": "{.}"}.
const eachKey = "$each"

// asText ends a placeholder whose number or boolean is sent as text.
const asText = "|text"

// placeholder reads "{name}", "{name/pointer}", "{$value}", "{.}", "{#}" and
// "{*}", each of which may end in "|text".
func placeholder(text string) (name string, ok bool) {
	if len(text) < 3 || text[0] != '{' || text[len(text)-1] != '}' {
		return "", false
	}
	return text[1 : len(text)-1], true
}

func (s scope) value(name string) (any, bool) {
	if plain, text := strings.CutSuffix(name, asText); text {
		value, ok := s.value(plain)
		written, isScalar := scalar(value)
		return written, ok && isScalar && value != nil
	}
	switch {
	case name == "*":
		return s.rest, true
	case name == "." && s.number > 0:
		return s.item, true
	case name == "#" && s.number > 0:
		return json.Number(strconv.Itoa(s.number)), true
	}
	if key, isValue := strings.CutPrefix(name, "$"); isValue {
		value, ok := s.values[key]
		return value, ok
	}
	name, pointer, _ := strings.Cut(name, "/")
	value, ok := s.args[name]
	if !ok || pointer == "" {
		return value, ok
	}
	return at(value, "/"+pointer)
}

// expand fills a layout in. What names an absent argument is absent itself, and
// so is an object or a list of which everything is.
func expand(layout any, s scope) (any, bool) {
	switch node := layout.(type) {
	case string:
		if name, ok := placeholder(node); ok {
			return s.value(name)
		}
		return node, true
	case map[string]any:
		if name, ok := node[eachKey].(string); ok {
			return expandEach(name, node, s)
		}
		filled := make(map[string]any, len(node))
		for key, child := range node {
			if value, ok := expand(child, s); ok {
				filled[key] = value
			}
		}
		return filled, len(filled) > 0 || len(node) == 0
	case []any:
		filled := make([]any, 0, len(node))
		for _, child := range node {
			if value, ok := expand(child, s); ok {
				filled = append(filled, value)
			}
		}
		return filled, len(filled) > 0 || len(node) == 0
	default:
		return node, true
	}
}

// expandEach fills an object in for each element of a list.
func expandEach(name string, node map[string]any, s scope) (any, bool) {
	list, ok := s.args[name].([]any)
	if !ok || len(list) == 0 {
		return nil, false
	}
	one := maps.Clone(node)
	delete(one, eachKey)
	filled := make([]any, 0, len(list))
	for i, element := range list {
		s.item, s.number = element, i+1
		if value, ok := expand(one, s); ok {
			filled = append(filled, value)
		}
	}
	return filled, true
}

// names collects the arguments that a layout uses, "*" among them, and refuses
// braces that would be sent as they stand.
func names(layout any, into map[string]bool) error {
	switch node := layout.(type) {
	case string:
		name, ok := placeholder(node)
		switch {
		case ok:
			name, _, _ = strings.Cut(strings.TrimSuffix(name, asText), "/")
			if name != "." && name != "#" {
				into[name] = true
			}
		case strings.ContainsAny(node, "{}"):
			return fmt.Errorf("%q is no whole placeholder", node)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			if each, ok := node[key].(string); ok && key == eachKey {
				into[each] = true
				continue
			}
			if err := names(node[key], into); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range node {
			if err := names(child, into); err != nil {
				return err
			}
		}
	}
	return nil
}

// overlay lays over's leaves onto base where base has nothing, and reports
// whether every leaf found its place free.
func overlay(base, over map[string]any) (map[string]any, bool) {
	merged, free := maps.Clone(base), true
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range over {
		held, taken := merged[key]
		inner, isObject := value.(map[string]any)
		below, heldObject := held.(map[string]any)
		switch {
		case !taken || held == nil:
			merged[key] = value
		case isObject && heldObject:
			var all bool
			merged[key], all = overlay(below, inner)
			free = free && all
		default:
			free = false
		}
	}
	return merged, free
}

// at is the JSON pointer's target; a "" points at the document itself.
func at(document any, pointer string) (any, bool) {
	if pointer == "" {
		return document, true
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch node := document.(type) {
		case map[string]any:
			child, ok := node[token]
			if !ok {
				return nil, false
			}
			document = child
		case []any:
			index, err := strconv.Atoi(token)
			if err != nil || index < 0 || index >= len(node) {
				return nil, false
			}
			document = node[index]
		default:
			return nil, false
		}
	}
	return document, true
}

// scalar is the text of a JSON value that is neither object nor list.
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	case bool:
		return strconv.FormatBool(value), true
	case nil:
		return "", true
	default:
		return "", false
	}
}

// Braces in texts: of arguments in a path, of credential fields in auth.
var (
	pathPattern  = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)
	fieldPattern = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)
)
