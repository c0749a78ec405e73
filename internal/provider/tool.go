package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/argument"
)

// tool is a [ToolSpec] made ready to be called; it does not change after that.
type tool struct {
	ToolSpec
	schema *jsonschema.Schema
	// parameters is the schema as the model sees it.
	parameters json.RawMessage
	// defaults stand for arguments that are not given.
	defaults  map[string]any
	query     any // layout, nil for none
	body      any // layout, nil for none
	elsewhere map[string]bool
	lookup    *lookup
	// raw is set for a tool that makes raw calls: its request is its caller's.
	raw bool
}

// lookup is a [LookupSpec] made ready.
type lookup struct {
	LookupSpec
	write map[string]any
	query any
}

// hasBody tells the methods whose arguments go into the body.
func hasBody(method string) bool { return method != http.MethodGet && method != http.MethodDelete }

// compileTool checks a tool against itself: every brace names a parameter,
// every parameter has a place to go, the path's are required.
func compileTool(manifest Manifest, spec ToolSpec) (*tool, error) {
	schema, parameters, err := compileParameters(spec.Parameters)
	if err != nil {
		return nil, err
	}
	made := &tool{ToolSpec: spec, schema: schema, parameters: parameters, elsewhere: map[string]bool{}}
	if made.defaults, err = defaultsOf(schema, parameters); err != nil {
		return nil, err
	}
	if made.query, err = parseLayout(spec.Query); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	if made.body, err = parseLayout(spec.Body); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	switch {
	case hasBody(spec.Method) && made.body == nil:
		made.body = "{*}"
	case !hasBody(spec.Method) && made.query == nil:
		made.query = "{*}"
	}
	if spec.Safety == agent.SafetyKeyed && manifest.Idempotency == nil {
		return nil, errors.New("safety is keyed, though the manifest has no idempotency")
	}
	if spec.Safety == agent.SafetyRead && spec.Stakes != "" {
		return nil, errors.New("safety is read, though something is at stake")
	}
	if spec.Lookup != nil {
		if made.lookup, err = compileLookup(*spec.Lookup); err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
	}
	return made, errors.Join(made.checkPlaces(manifest), made.checkSecrets(manifest))
}

func compileLookup(spec LookupSpec) (*lookup, error) {
	write, err := parseLayout(spec.Write)
	if err != nil {
		return nil, err
	}
	object, ok := write.(map[string]any)
	if !ok {
		return nil, errors.New("write is no object")
	}
	query, err := parseLayout(spec.Query)
	if err != nil {
		return nil, err
	}
	return &lookup{LookupSpec: spec, write: object, query: query}, nil
}

func parseLayout(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // no layout is no fault
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(raw))
}

func compileParameters(raw json.RawMessage) (*jsonschema.Schema, json.RawMessage, error) {
	schema, err := argument.Compile(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("parameters: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, nil, fmt.Errorf("parameters: %w", err)
	}
	return schema, compact.Bytes(), nil
}

// defaultsOf are the defaults of a tool's parameters, each of which has to fit
// its own schema.
func defaultsOf(schema *jsonschema.Schema, parameters json.RawMessage) (map[string]any, error) {
	document, err := parseLayout(parameters)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	declared, _ := at(document, "/properties")
	properties, _ := declared.(map[string]any)
	defaults := map[string]any{}
	for name, property := range properties {
		value, ok := at(property, "/default")
		if !ok {
			continue
		}
		if err := schema.Properties[name].Validate(value); err != nil {
			return nil, fmt.Errorf("parameters: default of %s: %w", name, err)
		}
		defaults[name] = value
	}
	return defaults, nil
}

// Returned is the compiled schema of the tool's answers.
func (t ToolSpec) Returned() (*jsonschema.Schema, error) {
	schema, err := argument.Compile(t.Returns)
	if err != nil {
		return nil, fmt.Errorf("returns: %w", err)
	}
	return schema, nil
}

// checkPlaces finds out where each parameter goes, and remembers those that
// "{*}" does not stand for.
func (t *tool) checkPlaces(manifest Manifest) error {
	inBody := map[string]bool{}
	for _, found := range pathPattern.FindAllStringSubmatch(t.Path, -1) {
		t.elsewhere[found[1]] = true
		if !slices.Contains(t.schema.Required, found[1]) {
			return fmt.Errorf("path: %s is no required parameter", found[0])
		}
	}
	inQuery := map[string]bool{}
	if err := errors.Join(names(t.query, inQuery), names(t.body, inBody)); err != nil {
		return err
	}
	if t.body != nil { // "{*}" is the body's, so the query's names are elsewhere
		maps.Copy(t.elsewhere, inQuery)
	}
	used := maps.Clone(t.elsewhere)
	maps.Copy(used, inQuery)
	maps.Copy(used, inBody)
	for name := range t.schema.Properties {
		if !used["*"] && !used[name] {
			return fmt.Errorf("parameter %s goes nowhere", name)
		}
	}
	if t.lookup != nil {
		if err := errors.Join(names(t.lookup.write, used), names(t.lookup.query, used)); err != nil {
			return err
		}
	}
	return t.checkNames(manifest, used)
}

func (t *tool) checkNames(manifest Manifest, used map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(used)) {
		_, isParameter := t.schema.Properties[name]
		isValue := name == "$key" && t.lookup != nil
		if len(name) > 1 && name[0] == '$' {
			_, known := manifest.Values[name[1:]]
			isValue = isValue || known
		}
		if name != "*" && !isParameter && !isValue {
			return fmt.Errorf("{%s} is neither a parameter nor a value", name)
		}
	}
	return nil
}

// tryTimeout bounds one try.
func (t *tool) tryTimeout(manifest Manifest, most time.Duration) time.Duration {
	for _, own := range []Duration{t.Timeout, manifest.Timeout} {
		if own > 0 {
			return min(time.Duration(own), most)
		}
	}
	return most
}
