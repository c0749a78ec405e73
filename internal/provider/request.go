package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/argument"
	"github.com/feira-dev/feira/internal/hostile"
)

// request is a call laid out, free of host and credential.
type request struct {
	method      string
	path        string // escaped, begins with "/"
	query       string
	body        []byte
	contentType string
	// headers are the caller's own, of a raw call.
	headers map[string]string
	// traced is set when the effect will carry the key of the call.
	traced bool
}

// layOut holds a call's arguments against the tool, and lays it out.
func (t *tool) layOut(on *server, call agent.Call) (request, *events.ToolFault) {
	args, fault := t.arguments(call.Arguments)
	if fault != nil {
		return request{}, fault
	}
	if t.raw {
		return t.rawRequest(on, call)
	}
	return t.request(on.manifest, args, call.Environment, call.Key)
}

// request lays a call out. The arguments have passed the schema.
func (t *tool) request(manifest Manifest, args map[string]any, env events.Environment, key string) (request, *events.ToolFault) {
	within := scope{args: args, rest: t.rest(args), values: valuesOf(manifest, env, key)}
	made := request{method: t.Method}
	path, fault := fillPath(t.Path, args)
	if fault != nil {
		return request{}, fault
	}
	made.path = path
	var err error
	if made.query, err = encodeQuery(manifest.Body, t.query, within); err != nil {
		return request{}, argument.Invalid(err.Error())
	}
	if t.body == nil {
		return made, nil
	}
	body, ok := expand(t.body, within)
	if !ok {
		body = map[string]any{}
	}
	if object, isObject := body.(map[string]any); isObject && t.lookup != nil && key != "" {
		over, _ := expand(t.lookup.write, within)
		if over, ok := over.(map[string]any); ok {
			body, made.traced = overlay(object, over)
		}
	}
	if made.body, made.contentType, err = encodeBody(manifest.Body, body); err != nil {
		return request{}, argument.Invalid(err.Error())
	}
	return made, nil
}

// request lays out the GET that finds the effect of a call.
func (l *lookup) request(manifest Manifest, args map[string]any, env events.Environment, key string) (request, *events.ToolFault) {
	path, fault := fillPath(l.Path, args)
	if fault != nil {
		return request{}, fault
	}
	query, err := encodeQuery(manifest.Body, l.query, scope{args: args, values: valuesOf(manifest, env, key)})
	if err != nil {
		return request{}, argument.Invalid(err.Error())
	}
	return request{method: "GET", path: path, query: query}, nil
}

func (t *tool) rest(args map[string]any) map[string]any {
	rest := make(map[string]any, len(args))
	for name, value := range args {
		if !t.elsewhere[name] {
			rest[name] = value
		}
	}
	return rest
}

func valuesOf(manifest Manifest, env events.Environment, key string) map[string]string {
	values := map[string]string{"key": fitKey(key, maxTraceKey)}
	for name, byEnvironment := range manifest.Values {
		values[name] = byEnvironment[env]
	}
	return values
}

// fillPath puts arguments into a path. One that could change the route, here or
// at a server that unescapes first and splits later, is refused.
func fillPath(path string, args map[string]any) (string, *events.ToolFault) {
	var fault *events.ToolFault
	filled := pathPattern.ReplaceAllStringFunc(path, func(brace string) string {
		name := brace[1 : len(brace)-1]
		text, ok := scalar(args[name])
		if !ok || text == "" || text == "." || text == ".." || strings.ContainsAny(text, `/\%`) || hostile.HasControl(text) {
			fault = argument.Invalid("/" + name + ": cannot stand in a path")
			return ""
		}
		return url.PathEscape(text)
	})
	return filled, fault
}

func encodeQuery(encoding Encoding, layout any, within scope) (string, error) {
	filled, ok := expand(layout, within)
	document, isObject := filled.(map[string]any)
	if !ok || !isObject {
		return "", nil
	}
	style := listRepeated
	if encoding == EncodingForm {
		style = listBrackets
	}
	values, err := encodeValues(document, style)
	return values.Encode(), err
}

func encodeBody(encoding Encoding, document any) ([]byte, string, error) {
	switch encoding {
	case EncodingForm:
		object, isObject := document.(map[string]any)
		if !isObject {
			return nil, "", errors.New("the body is no object, which a form has to be")
		}
		values, err := encodeValues(object, listBrackets)
		return []byte(values.Encode()), "application/x-www-form-urlencoded", err
	case EncodingJSON:
		text, err := encodeJSON(document)
		return text, "application/json", err
	default:
		return nil, "", fmt.Errorf("body form %q is unknown", encoding)
	}
}

// encodeJSON keeps numbers as they were written and leaves <, > and & alone.
func encodeJSON(document any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
