// Package manifest holds the JSON Schema of a provider manifest, for the
// program and for editors alike.
package manifest

import (
	"bytes"
	_ "embed" // for the schema
)

//go:embed manifest.schema.json
var schema []byte

// Schema is the JSON Schema, draft 2020-12, that every provider manifest obeys.
func Schema() []byte { return bytes.Clone(schema) }
