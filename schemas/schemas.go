package schemas

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed asyncapi.yaml events messages headers
var files embed.FS

const suffix = ".schema.json"

// Fault classes of validation.
var (
	// ErrUnknown occurs when there is no schema of the name asked for.
	ErrUnknown = errors.New("unknown schema")
	// ErrInvalid occurs when data breaks its schema; the error that wraps it
	// names every place at fault by a JSON pointer.
	ErrInvalid = errors.New("data breaks its schema")
)

// Files are the embedded documents: asyncapi.yaml, events/<type>.schema.json,
// events/examples/<type>.<case>.json, messages/<name>.schema.json and
// headers/<name>.schema.json.
func Files() fs.FS { return files }

// compiled is built at the first use, once: compiling takes milliseconds, and
// a process that never validates pays nothing.
var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) { return compile(files) })

// Names lists the schemas, in order: the types of events, the names of
// messages, and "<name>.headers".
func Names() ([]string, error) {
	schemas, err := compiled()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(schemas))
	for name := range schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Validate checks JSON against the schema of that name: an event's type, or
// request, worker_announced, run_ended, control, queue_asked, queue_told. It is
// for writers: a field that the schema does not know is a fault ([ErrInvalid]).
// Safe for concurrent use.
func Validate(name string, data []byte) error {
	schemas, err := compiled()
	if err != nil {
		return err
	}
	schema, ok := schemas[name]
	if !ok {
		return fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %s: no JSON: %w", ErrInvalid, name, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%w: %s: %s", ErrInvalid, name, places(err))
	}
	return nil
}

func compile(documents fs.FS) (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.AssertContent()
	schemas := make(map[string]*jsonschema.Schema)
	for _, dir := range []string{"events", "messages", "headers"} {
		matches, err := fs.Glob(documents, dir+"/*"+suffix)
		if err != nil {
			return nil, fmt.Errorf("listing schemas of %s: %w", dir, err)
		}
		for _, match := range matches {
			name := strings.TrimSuffix(path.Base(match), suffix)
			if dir == "headers" {
				name += ".headers"
			}
			if schemas[name], err = compileOne(compiler, documents, match); err != nil {
				return nil, fmt.Errorf("compiling schema %s: %w", match, err)
			}
		}
	}
	return schemas, nil
}

func compileOne(compiler *jsonschema.Compiler, documents fs.FS, name string) (*jsonschema.Schema, error) {
	text, err := fs.ReadFile(documents, name)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	// A schema is known by its path alone, so that compiling never asks a network.
	location := "feira:///" + name
	if err := compiler.AddResource(location, document); err != nil {
		return nil, err
	}
	return compiler.Compile(location)
}
