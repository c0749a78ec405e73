package fake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
)

// Object is a JSON object that came in, of whatever shape its sender liked.
// Its methods never fail: what is not there, or is of another type, is empty.
type Object map[string]any

// ParseObject reads a body that must be one JSON object; an empty one is empty.
func ParseObject(body []byte) (Object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return Object{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	object := Object{}
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBody, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: data after the object", ErrBody)
	}
	if object == nil {
		return nil, fmt.Errorf("%w: null", ErrBody)
	}
	return object, nil
}

// Has reports whether a field is there and says something: null, "" and {} do not.
func (o Object) Has(name string) bool {
	switch value := o[name].(type) {
	case nil:
		return false
	case string:
		return strings.TrimSpace(value) != ""
	case []any:
		return len(value) > 0
	case map[string]any:
		return len(value) > 0
	default:
		return true
	}
}

// Missing returns the names that say nothing.
func (o Object) Missing(names ...string) []string {
	var missing []string
	for _, name := range names {
		if !o.Has(name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Text returns the first of the names that is a text or a number.
func (o Object) Text(names ...string) string {
	for _, name := range names {
		switch value := o[name].(type) {
		case string:
			if value != "" {
				return value
			}
		case json.Number:
			return value.String()
		}
	}
	return ""
}

// Object returns a field that is an object; an empty one otherwise.
func (o Object) Object(name string) Object {
	value, _ := o[name].(map[string]any)
	return value
}

// Objects returns those entries of a list field that are objects.
func (o Object) Objects(name string) []Object {
	list, _ := o[name].([]any)
	var objects []Object
	for _, entry := range list {
		if object, ok := entry.(map[string]any); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// Texts returns those entries of a list field that are texts or numbers.
func (o Object) Texts(name string) []string {
	list, _ := o[name].([]any)
	var texts []string
	for _, entry := range list {
		if text := (Object{"entry": entry}).Text("entry"); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// Cents returns the first of the names that says something as an amount;
// false when it is none.
func (o Object) Cents(names ...string) (brazil.Cents, bool) {
	amount, err := brazil.ParseCents(o.Text(names...))
	return amount, err == nil
}
