package gateway

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// page is the document for people: it needs no script and no other host.
//
//go:embed page.html
var page string

// pagePolicy lets the page's own style in and nothing else.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Document is the OpenAPI document of a gateway with every endpoint, laid out
// for reading: two calls give the same bytes.
func (g *Gateway) Document() ([]byte, error) {
	var tight, out bytes.Buffer
	text, err := json.Marshal(g.api.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("laying out the OpenAPI document: %w", err)
	}
	tight.Write(text)
	if err := json.Indent(&out, tight.Bytes(), "", "  "); err != nil {
		return nil, fmt.Errorf("laying out the OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// documentRoutes serve the document as it is when all endpoints are in place.
// Huma's own would make it at the first request, of several at once without a
// lock, and load its page's scripts from a stranger's host.
func (g *Gateway) documentRoutes(routes *http.ServeMux) error {
	document, err := g.Document()
	if err != nil {
		return err
	}
	shown, err := g.page()
	if err != nil {
		return err
	}
	routes.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // a client that left is nobody's loss
	})
	routes.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(shown) // a client that left is nobody's loss
	})
	return nil
}

// shownOperation is an operation on the page.
type shownOperation struct {
	Method  string
	Path    string
	Scope   string
	Ask     string
	Answers []shownAnswer
	*huma.Operation
}

type shownAnswer struct {
	Status string
	Text   string
	Schema string
}

func (g *Gateway) page() ([]byte, error) {
	form, err := template.New("page").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("reading the page of the OpenAPI document: %w", err)
	}
	document := g.api.OpenAPI()
	groups := map[string][]shownOperation{}
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		methods := methodsOf(document.Paths[path])
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			shown := showOperation(method, path, methods[method])
			groups[shown.Tags[0]] = append(groups[shown.Tags[0]], shown)
		}
	}
	schemas := map[string]string{}
	for name, schema := range document.Components.Schemas.Map() {
		schemas[name] = schemaText(schema)
	}
	var out bytes.Buffer
	err = form.Execute(&out, map[string]any{"Info": document.Info, "Groups": groups, "Schemas": schemas})
	if err != nil {
		return nil, fmt.Errorf("writing the page of the OpenAPI document: %w", err)
	}
	return out.Bytes(), nil
}

func showOperation(method, path string, operation *huma.Operation) shownOperation {
	shown := shownOperation{Method: method, Path: path, Operation: operation}
	for _, needs := range operation.Security {
		for _, scope := range needs[securityKey] {
			shown.Scope = scope
		}
	}
	if body := operation.RequestBody; body != nil {
		shown.Ask = mediaText(body.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(operation.Responses)) {
		answer := operation.Responses[status]
		shown.Answers = append(shown.Answers, shownAnswer{status, answer.Description, mediaText(answer.Content)})
	}
	return shown
}

func mediaText(content map[string]*huma.MediaType) string {
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(content)) {
		out.WriteString(name + " " + schemaText(content[name].Schema) + "\n")
	}
	return out.String()
}

func schemaText(schema *huma.Schema) string {
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return err.Error() // a schema of huma's own always can be
	}
	return string(text)
}

func methodsOf(item *huma.PathItem) map[string]*huma.Operation {
	methods := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}
	maps.DeleteFunc(methods, func(_ string, operation *huma.Operation) bool { return operation == nil })
	return methods
}

// settle makes an operation of the document say what the gateway does: huma
// answers 422 where ours is 400, and every body has a bound and a type.
func (g *Gateway) settle(e endpoint) {
	document := g.api.OpenAPI()
	operation := methodsOf(document.Paths[e.path])[e.method]
	if !slices.Contains(e.faults, http.StatusUnprocessableEntity) {
		delete(operation.Responses, strconv.Itoa(http.StatusUnprocessableEntity))
	}
	if e.takesKey() {
		most := maxKey
		operation.Parameters = append(operation.Parameters, &huma.Param{
			Name: headerKey, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most},
			Description: "The same key and body are done once, with one answer; a secret in it is shown the first time alone.",
		})
	}
	like := *operation.Responses[strconv.Itoa(http.StatusBadRequest)]
	if operation.RequestBody != nil {
		for _, status := range []int{http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType} {
			made := like
			made.Description = http.StatusText(status)
			operation.Responses[strconv.Itoa(status)] = &made
		}
	}
	success := operation.Responses[strconv.Itoa(max(e.status, http.StatusOK))]
	for _, status := range e.also {
		made := *success
		made.Description = http.StatusText(status)
		operation.Responses[strconv.Itoa(status)] = &made
	}
	if success.Content == nil {
		success.Content = map[string]*huma.MediaType{}
	}
	if e.answer != nil {
		success.Content["application/json"] = &huma.MediaType{Schema: document.Components.Schemas.Schema(reflect.TypeOf(e.answer), true, e.id)}
	}
	for _, media := range e.media {
		success.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
}
