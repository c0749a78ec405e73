package argument

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/hostile"
)

// Max is how large arguments may be, in bytes.
const Max = events.MaxEventBytes

const (
	maxNumber       = 32 // bytes of a number's text
	maxComplaints   = 5
	argumentsPrefix = "the arguments do not fit the tool: "
)

// Check holds what the model or a caller gave against the schema of a tool. The
// fault names the place and what was wanted there, never what was found. A nil
// schema asks for an object alone.
func Check(schema *jsonschema.Schema, raw json.RawMessage) (map[string]any, *events.ToolFault) {
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = json.RawMessage("{}")
	}
	if len(raw) > Max {
		return nil, Invalid("they have " + strconv.Itoa(len(raw)) + " bytes, at most " + strconv.Itoa(Max) + " are allowed")
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, Invalid("they are no JSON")
	}
	args, ok := document.(map[string]any)
	if !ok {
		return nil, Invalid("want a JSON object")
	}
	// The validator reckons with numbers exactly, and gives up on absurd ones.
	if where, ok := absurdNumber(args, ""); ok {
		return nil, Invalid(where + ": is a number out of range")
	}
	if schema == nil {
		return args, nil
	}
	if err := schema.Validate(args); err != nil {
		var fault *jsonschema.ValidationError
		if !errors.As(err, &fault) {
			return nil, Invalid("they cannot be checked")
		}
		return nil, Invalid(complaints(fault))
	}
	return args, nil
}

// Invalid is the fault of arguments that do not fit.
func Invalid(what string) *events.ToolFault {
	return &events.ToolFault{Code: events.FaultInvalidArguments, Message: argumentsPrefix + what}
}

func absurdNumber(value any, where string) (string, bool) {
	switch node := value.(type) {
	case json.Number:
		text := node.String()
		_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
		return where, len(text) > maxNumber || len(exponent) > 3
	case map[string]any:
		for name, child := range node {
			if at, absurd := absurdNumber(child, where+"/"+hostile.Shown(name)); absurd {
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
		return
	}
	for _, cause := range fault.Causes {
		gather(cause, into)
	}
}

// complaint words one fault by the schema's side of it alone.
func complaint(fault *jsonschema.ValidationError) string {
	path := make([]string, 0, len(fault.InstanceLocation))
	for _, token := range fault.InstanceLocation {
		path = append(path, hostile.Shown(token))
	}
	where := "/" + strings.Join(path, "/")
	switch found := fault.ErrorKind.(type) {
	case *kind.Required:
		return fmt.Sprintf("%s: is missing %s", where, strings.Join(found.Missing, ", "))
	case *kind.AdditionalProperties:
		unknown := make([]string, 0, len(found.Properties))
		for _, name := range found.Properties {
			unknown = append(unknown, hostile.Shown(name))
		}
		slices.Sort(unknown)
		return fmt.Sprintf("%s: has no place for %s", where, strings.Join(unknown[:min(len(unknown), maxComplaints)], ", "))
	case *kind.Type:
		return fmt.Sprintf("%s: want %s, got %s", where, strings.Join(found.Want, " or "), found.Got)
	case *kind.Enum:
		return fmt.Sprintf("%s: want one of %s", where, listed(found.Want))
	case *kind.Const:
		return fmt.Sprintf("%s: want %s", where, listed([]any{found.Want}))
	case *kind.Pattern:
		return fmt.Sprintf("%s: has to match %s", where, found.Want)
	case *kind.Format:
		return fmt.Sprintf("%s: is no %s", where, found.Want)
	default:
		return where + ": " + bound(fault.ErrorKind)
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
	case *kind.ExclusiveMaximum:
		return "has to be less than " + found.Want.RatString()
	case *kind.MinLength:
		return "is shorter than " + strconv.Itoa(found.Want)
	case *kind.MaxLength:
		return "is longer than " + strconv.Itoa(found.Want)
	case *kind.MinItems:
		return "has less than " + strconv.Itoa(found.Want) + " elements"
	case *kind.MaxItems:
		return "has more than " + strconv.Itoa(found.Want) + " elements"
	case *kind.MinProperties:
		return "has less than " + strconv.Itoa(found.Want) + " fields"
	case *kind.MaxProperties:
		return "has more than " + strconv.Itoa(found.Want) + " fields"
	default:
		return "does not fit"
	}
}

func listed(values []any) string {
	texts := make([]string, 0, len(values))
	for _, value := range values {
		texts = append(texts, fmt.Sprint(value))
	}
	return strings.Join(texts, ", ")
}
