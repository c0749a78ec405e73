package schemas

import (
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// places lists the innermost faults, each as "pointer: what is wrong". The
// data's own values stay out of it: they may be a customer's, and errors are
// logged.
func places(err error) string {
	var texts []string
	var walk func(fault *jsonschema.ValidationError)
	walk = func(fault *jsonschema.ValidationError) {
		for _, cause := range fault.Causes {
			walk(cause)
		}
		if len(fault.Causes) == 0 {
			texts = append(texts, leaf(fault)...)
		}
	}
	fault, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err.Error()
	}
	walk(fault)
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), "; ")
}

func leaf(fault *jsonschema.ValidationError) []string {
	at := fault.InstanceLocation
	switch fault := fault.ErrorKind.(type) {
	case *kind.Required:
		return each(at, fault.Missing, "is missing")
	case *kind.AdditionalProperties:
		return each(at, fault.Properties, "is unknown")
	case *kind.Pattern:
		return []string{pointer(at) + ": does not match " + fault.Want}
	case *kind.Format:
		return []string{pointer(at) + ": is no " + fault.Want}
	case *kind.ContentEncoding:
		return []string{pointer(at) + ": is no " + fault.Want}
	}
	return []string{pointer(at) + ": " + fault.BasicOutput().Error.String()}
}

func each(at, fields []string, text string) []string {
	texts := make([]string, len(fields))
	for i, field := range fields {
		texts[i] = pointer(append(slices.Clone(at), field)) + ": " + text
	}
	return texts
}

// pointer spells RFC 6901; the whole document, which is "" there, is spelled out.
func pointer(tokens []string) string {
	if len(tokens) == 0 {
		return "(document)"
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var text strings.Builder
	for _, token := range tokens {
		text.WriteString("/" + escape.Replace(token))
	}
	return text.String()
}
