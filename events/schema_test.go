package events_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// messages are the bodies that are no events.
func messages() map[string]any {
	return map[string]any{
		"request":          events.Request{},
		"worker_announced": events.WorkerAnnounced{},
		"control":          events.Control{},
		"model_delta":      events.ModelDelta{},
		"queue_asked":      events.QueueAsked{},
		"queue_told":       events.QueueTold{},
	}
}

// TestGenerated keeps every schema as the Go types have it; with -update it
// writes them.
func TestGenerated(t *testing.T) {
	t.Parallel()
	generator := newGenerator(t)
	expected := []string{}
	for _, event := range events.Catalogue() {
		name := "events/" + string(event.EventType()) + ".schema.json"
		requireFresh(t, name, generator.schema(t, string(event.EventType()), event))
		expected = append(expected, name)
	}
	for message, value := range messages() {
		name := "messages/" + message + ".schema.json"
		requireFresh(t, name, generator.schema(t, message, value))
		expected = append(expected, name)
	}
	for message, schema := range headerSchemas(generator) {
		name := "headers/" + message + ".schema.json"
		requireFresh(t, name, render(t, schema))
		expected = append(expected, name)
	}
	requireFresh(t, "asyncapi.yaml", asyncAPI(t))
	require.ElementsMatch(t, expected, schemaFiles(t), "a schema is left over from a type that has gone")
}

func schemaFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, dir := range []string{"events", "messages", "headers"} {
		matches, err := filepath.Glob(filepath.Join(documents, dir, "*.schema.json"))
		require.NoError(t, err)
		for _, match := range matches {
			names = append(names, dir+"/"+filepath.Base(match))
		}
	}
	return names
}

// generator turns Go types into schemas.
type generator struct {
	reflector *jsonschema.Reflector
	enums     map[string][]any
}

func newGenerator(t *testing.T) *generator {
	t.Helper()
	g := &generator{enums: constants(t)}
	g.reflector = &jsonschema.Reflector{Anonymous: true, ExpandedStruct: true, Mapper: g.mapped}
	require.NoError(t, g.reflector.AddGoComments("github.com/feira-dev/feira/events", "./", jsonschema.WithFullComment()))
	link := regexp.MustCompile(`\[([A-Za-z.]+)\]`)
	for key, comment := range g.reflector.CommentMap {
		comment = link.ReplaceAllString(comment, "$1")
		g.reflector.CommentMap[key] = strings.Join(strings.Fields(comment), " ")
	}
	return g
}

// mapped is the schema of the types that reflection would describe too widely.
func (g *generator) mapped(typ reflect.Type) *jsonschema.Schema {
	const token = `[A-Za-z0-9][A-Za-z0-9_-]*`
	switch typ {
	case reflect.TypeFor[events.TenantID]():
		return text("^("+token+"|"+string(events.IllegalTenant)+")$", events.MaxTenantID)
	case reflect.TypeFor[events.SessionID]():
		return text("^"+token+"$", events.MaxSessionID)
	case reflect.TypeFor[events.Meter]():
		return text("^"+token+"$", events.MaxTenantID)
	case reflect.TypeFor[events.RequestID]():
		return text(`^[A-Za-z0-9][A-Za-z0-9._:-]*$`, events.MaxRequestID)
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[uint64]():
		return &jsonschema.Schema{Type: "integer", Minimum: "0"}
	}
	if values, ok := g.enums[typ.Name()]; ok {
		return &jsonschema.Schema{Type: "string", Enum: values}
	}
	return nil
}

func text(pattern string, limit uint64) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern, MaxLength: &limit}
}

func (g *generator) schema(t *testing.T, name string, value any) []byte {
	t.Helper()
	schema := g.reflector.Reflect(value)
	schema.Title = name
	return render(t, schema)
}

func render(t *testing.T, schema *jsonschema.Schema) []byte {
	t.Helper()
	text, err := json.MarshalIndent(schema, "", "  ")
	require.NoError(t, err)
	return append(text, '\n')
}

// closed are the types whose constants are all values there can be; of Type
// and Meter others may come.
func closed() []string {
	return []string{"Kind", "ToolStatus", "TurnStatus", "Environment", "ControlAction"}
}

// constants reads the values of the closed types from the source, so that a
// new constant cannot be forgotten here.
func constants(t *testing.T) map[string][]any {
	t.Helper()
	values := make(map[string][]any)
	for _, name := range closed() {
		values[name] = nil
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".go" || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			name, ok := spec.Type.(*ast.Ident)
			if !ok {
				return true
			}
			if _, ok := values[name.Name]; !ok {
				return true
			}
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			values[name.Name] = append(values[name.Name], text)
			return true
		})
	}
	for name, found := range values {
		require.NotEmpty(t, found, "type %s has no constants", name)
	}
	return values
}

// headerSchemas describe the headers of each kind of message, one value each.
func headerSchemas(g *generator) map[string]*jsonschema.Schema {
	word := func(typ reflect.Type, description string) *jsonschema.Schema {
		schema := g.mapped(typ)
		schema.Description = description
		return schema
	}
	var (
		tenant  = word(reflect.TypeFor[events.TenantID](), "The tenant, as the subject has it.")
		session = word(reflect.TypeFor[events.SessionID](), "The session within the tenant.")
		log     = text(`^([A-Za-z0-9][A-Za-z0-9_-]*|`+string(events.BudgetSession)+`)$`, events.MaxSessionID)
		request = word(reflect.TypeFor[events.RequestID](), "The request within the session.")
		kind    = word(reflect.TypeFor[events.Kind](), "What the request asks for.")
		at      = &jsonschema.Schema{Type: "string", Format: "date-time"}
		number  = &jsonschema.Schema{Type: "string", Pattern: `^[0-9]+$`, Description: "The request's sequence in " + events.StreamRequests + "."}
		trace   = &jsonschema.Schema{Type: "string", Pattern: `^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}`, Description: "W3C Trace Context."}
		names   []any
	)
	for priority := events.PriorityInteractive; priority <= events.PriorityBulk; priority++ {
		names = append(names, priority.String())
	}
	event := object("Headers of an event: CloudEvents 1.0, binary mode.")
	add(event, events.HeaderSpecVersion, &jsonschema.Schema{Const: "1.0"}, true)
	add(event, events.HeaderContentType, &jsonschema.Schema{Const: "application/json"}, true)
	add(event, events.HeaderID, &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Description: "Deterministic from the cause, unique within the source."}, true)
	add(event, events.HeaderSource, &jsonschema.Schema{Type: "string", Format: "uri-reference"}, true)
	add(event, events.HeaderType, &jsonschema.Schema{Type: "string", Pattern: `^feira\.[a-z]+\.[a-z]+\.v[0-9]+$`}, true)
	add(event, events.HeaderTime, at, true)
	add(event, events.HeaderSubject, tenant, true)
	add(event, events.HeaderTenant, tenant, true)
	log.Description = session.Description
	add(event, events.HeaderSessionID, log, false)
	add(event, events.HeaderRequestID, request, false)
	add(event, events.HeaderTrace, trace, false)

	asked := object("Headers of a request. All may be left out; what is, Feira chooses.")
	add(asked, events.HeaderID, request, false)
	add(asked, events.HeaderSession, session, false)
	add(asked, events.HeaderKind, kind, false)
	add(asked, events.HeaderPriority, &jsonschema.Schema{Type: "string", Enum: names, Default: events.PriorityNormal.String(), Description: "Orders the requests of one tenant, never those of two."}, false)
	add(asked, events.HeaderNotBefore, &jsonschema.Schema{Type: "string", Format: "date-time", Description: "The earliest start."}, false)
	add(asked, events.HeaderExpires, &jsonschema.Schema{Type: "string", Format: "date-time", Description: "From this moment on the request is not started: it ends as expired."}, false)
	add(asked, events.HeaderTrace, trace, false)

	run := object("Headers of a run, which has no body.")
	add(run, events.HeaderRequest, number, true)
	add(run, events.HeaderSession, session, true)
	add(run, events.HeaderKind, kind, true)
	add(run, events.HeaderTime, at, true)

	webhook := object("Headers of a provider's webhook, whose body is as it came.")
	add(webhook, events.HeaderConnection, &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Description: "Where it came in."}, true)
	add(webhook, events.HeaderTime, at, true)
	add(webhook, events.HeaderID, &jsonschema.Schema{Type: "string", Description: "The event's id, where the provider signed it in a header."}, false)
	add(webhook, events.HeaderUnsigned, &jsonschema.Schema{Type: "string", Const: "true", Description: "Set where nothing but the address that it came to proves it."}, false)
	add(webhook, events.HeaderFound, &jsonschema.Schema{Type: "string", Const: "true", Description: "Set where Feira found it by asking, and no provider sent it."}, false)
	return map[string]*jsonschema.Schema{"event": event, "request": asked, "run": run, "webhook": webhook}
}

// object is open: brokers and tracers put headers of their own beside ours.
func object(description string) *jsonschema.Schema {
	return &jsonschema.Schema{
		Version: jsonschema.Version, Type: "object", Description: description,
		Properties: jsonschema.NewProperties(),
	}
}

func add(schema *jsonschema.Schema, name string, property *jsonschema.Schema, required bool) {
	schema.Properties.Set(name, property)
	if required {
		schema.Required = append(schema.Required, name)
	}
}
