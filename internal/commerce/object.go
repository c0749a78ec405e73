package commerce

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxText is the longest text of an answer that is passed on; what is longer is
// left out, since half an address or half a code is none.
const maxText = 4096

// object is an object of JSON, numbers as they were written.
type object map[string]any

// listKey holds the elements of an answer that is a list.
const listKey = "list"

var errNoAnswer = errors.New("neither an object nor a list")

// parse reads a tool's answer. A list becomes an object that holds it.
func parse(output string) (object, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(output))
	if err != nil {
		return nil, err
	}
	switch value := document.(type) {
	case map[string]any:
		return value, nil
	case []any:
		return object{listKey: value}, nil
	default:
		return nil, errNoAnswer
	}
}

// encode writes JSON without escaping what is only dangerous in HTML.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// text is the first of the names that holds a text or a number; empty for none,
// and for what is too long.
func (o object) text(names ...string) string {
	for _, name := range names {
		found := ""
		switch value := o[name].(type) {
		case string:
			found = value
		case json.Number:
			found = value.String()
		}
		if found != "" && len(found) <= maxText && utf8.ValidString(found) {
			return found
		}
	}
	return ""
}

// object is the object of that name; an empty one for none.
func (o object) object(name string) object {
	found, _ := o[name].(map[string]any)
	return found
}

// objects are the objects in the list of that name.
func (o object) objects(name string) []object {
	list, _ := o[name].([]any)
	found := make([]object, 0, len(list))
	for _, element := range list {
		if one, ok := element.(map[string]any); ok {
			found = append(found, one)
		}
	}
	return found
}

// is reports whether a field is true.
func (o object) is(name string) bool {
	value, _ := o[name].(bool)
	return value
}

// put sets a field that says something.
func (o object) put(name, value string) object {
	if value != "" {
		o[name] = value
	}
	return o
}

// created is the clause of a step that made something with an id.
func created(what string) func(object) string {
	return func(made object) string { return what + " " + made.text("id") + " was created" }
}

// digits drops everything but digits.
func digits(text string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, text)
}

// taxpayer is a CPF or CNPJ without its punctuation. A CNPJ may hold letters.
func taxpayer(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' {
			return c
		}
		return -1
	}, strings.ToUpper(text))
}

// clip shortens a text to so many bytes, between two characters.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// image is a picture in base64, which may be longer than other texts.
func (o object) image(name string) string {
	found, _ := o[name].(string)
	if len(found) > maxOutput {
		return ""
	}
	return found
}
