package commerce

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/internal/argument"
)

// schema is the JSON Schema of a meta-tool's arguments, made ready.
type schema struct {
	text     json.RawMessage
	compiled *jsonschema.Schema
}

func compileSchema(text string) (*schema, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return nil, err
	}
	compiled, err := argument.Compile(compact.Bytes())
	return &schema{text: compact.Bytes(), compiled: compiled}, err
}

// argumentError is an argument that does not fit. It names the place and what
// is wanted there, never what was found.
type argumentError struct{ message string }

// Error implements error.
func (e *argumentError) Error() string { return e.message }

// misfit is an [argumentError] of one field, given as its JSON pointer.
func misfit(field, format string, args ...any) error {
	return &argumentError{argument.Invalid(field + ": " + fmt.Sprintf(format, args...)).Message}
}

func (s *schema) check(raw json.RawMessage) error {
	if _, fault := argument.Check(s.compiled, raw); fault != nil {
		return &argumentError{fault.Message}
	}
	return nil
}

// read decodes arguments that have passed check, numbers as they are written.
func read(raw json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return &argumentError{argument.Invalid("they cannot be read").Message}
	}
	return nil
}
