// Package ratecard is the JSON Schema of a rate card, for editors and for
// whoever reads one.
//
// It owns the schema's text and promises nothing beyond it: reading, checking
// and rating are in package usage.
package ratecard

import _ "embed"

//go:embed ratecard.schema.json
var schema string

// Schema returns the JSON Schema (draft 2020-12).
func Schema() string { return schema }
