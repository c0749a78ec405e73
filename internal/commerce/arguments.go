package commerce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

const (
	maxNumber     = 32 // bytes of a number's text
	maxComplaints = 5
	maxNameShown  = 64
)

// schema is the JSON Schema of a meta-tool's arguments, made ready.
type schema struct {
	text     json.RawMessage
	compiled *jsonschema.Schema
}

func compileSchema(text string) (*schema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	const name = "schema.json"
	if err := compiler.AddResource(name, document); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return nil, err
	}
	return &schema{text: compact.Bytes(), compiled: compiled}, nil
}

// argumentError is an argument that does not fit. It names the place and what
// is wanted there, never what was found.
type argumentError struct{ what string }

// Error implements error.
func (e *argumentError) Error() string { return "the arguments do not fit the tool: " + e.what }

// misfit is an [argumentError] of one field, given as its JSON pointer.
func misfit(field, format string, args ...any) error {
	return &argumentError{what: field + ": " + fmt.Sprintf(format, args...)}
}

func (s *schema) check(raw json.RawMessage) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return &argumentError{what: "they are no JSON"}
	}
	// The validator reckons with numbers exactly, and gives up on absurd ones.
	if where, absurd := absurdNumber(document, ""); absurd {
		return misfit(where, "is a number out of range")
	}
	err = s.compiled.Validate(document)
	if fault, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return &argumentError{what: complaints(fault)}
	}
	if err != nil {
		return &argumentError{what: "they cannot be checked"}
	}
	return nil
}

// read decodes arguments that have passed check, numbers as they are written.
func read(raw json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return &argumentError{what: "they cannot be read"}
	}
	return nil
}

func absurdNumber(value any, where string) (string, bool) {
	switch node := value.(type) {
	case json.Number:
		text := node.String()
		_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
		return where, len(text) > maxNumber || len(exponent) > 3
	case map[string]any:
		for name, child := range node {
			if at, absurd := absurdNumber(child, where+"/"+shown(name)); absurd {
				return at, true
			}
		}
	case []any:
		for i, child := range node {
			if at, absurd := absurdNumber(child, where+"/"+strconv.Itoa(i)); absurd {
				return at, true
			}
		}
	}
	return "", false
}

func complaints(fault *jsonschema.ValidationError) string {
	var found []string
	gather(fault, &found)
	slices.Sort(found)
	found = slices.Compact(found)
	if extra := len(found) - maxComplaints; extra > 0 {
		found = append(found[:maxComplaints], "and "+strconv.Itoa(extra)+" more")
	}
	return strings.Join(found, "; ")
}

func gather(fault *jsonschema.ValidationError, into *[]string) {
	if len(fault.Causes) == 0 {
		*into = append(*into, complaint(fault))
	}
	for _, cause := range fault.Causes {
		gather(cause, into)
	}
}

// complaint words one fault by the schema's side of it alone.
func complaint(fault *jsonschema.ValidationError) string {
	path := make([]string, 0, len(fault.InstanceLocation))
	for _, token := range fault.InstanceLocation {
		path = append(path, shown(token))
	}
	where := "/" + strings.Join(path, "/") + ": "
	switch found := fault.ErrorKind.(type) {
	case *kind.Required:
		return where + "is missing " + strings.Join(found.Missing, ", ")
	case *kind.AdditionalProperties:
		names := make([]string, 0, len(found.Properties))
		for _, name := range found.Properties {
			names = append(names, shown(name))
		}
		slices.Sort(names)
		return where + "has no place for " + strings.Join(names[:min(len(names), maxComplaints)], ", ")
	case *kind.Type:
		return where + "want " + strings.Join(found.Want, " or ") + ", got " + found.Got
	case *kind.Enum:
		texts := make([]string, 0, len(found.Want))
		for _, value := range found.Want {
			texts = append(texts, fmt.Sprint(value))
		}
		return where + "want one of " + strings.Join(texts, ", ")
	case *kind.Pattern:
		return where + "has to match " + found.Want
	case *kind.Format:
		return where + "is no " + found.Want
	default:
		return where + bound(fault.ErrorKind)
	}
}

func bound(fault jsonschema.ErrorKind) string {
	switch found := fault.(type) {
	case *kind.Minimum:
		return "is less than " + found.Want.RatString()
	case *kind.ExclusiveMinimum:
		return "has to be more than " + found.Want.RatString()
	case *kind.Maximum:
		return "is more than " + found.Want.RatString()
	case *kind.MinLength:
		return "is shorter than " + strconv.Itoa(found.Want)
	case *kind.MaxLength:
		return "is longer than " + strconv.Itoa(found.Want)
	case *kind.MinItems:
		return "has less than " + strconv.Itoa(found.Want) + " elements"
	case *kind.MaxItems:
		return "has more than " + strconv.Itoa(found.Want) + " elements"
	case *kind.MaxProperties:
		return "has more than " + strconv.Itoa(found.Want) + " fields"
	default:
		return "does not fit"
	}
}

// shown makes a name that the caller chose fit for a message.
func shown(name string) string {
	name = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if len(name) > maxNameShown {
		return strings.ToValidUTF8(name[:maxNameShown], "") + "…"
	}
	return name
}
