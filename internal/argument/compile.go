// Package argument holds the arguments of tool calls against the tools' JSON
// Schemas.
//
// It owns how a fault is worded for a model: the place and what was wanted
// there. It promises that no message tells what was found, which may be a
// secret, and that a schema reaches for nothing outside itself. It does not
// know where tools come from.
package argument

import (
	"bytes"
	"encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Compile makes a schema ready to check with.
func Compile(raw json.RawMessage) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	return compile(compiler, raw)
}

func compile(compiler *jsonschema.Compiler, raw json.RawMessage) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	const name = "schema.json"
	if err := compiler.AddResource(name, document); err != nil {
		return nil, err
	}
	return compiler.Compile(name)
}
