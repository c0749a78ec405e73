package gateway

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/feira-dev/feira/internal/tenant"
)

// amount is what the document says of a [tenant.Amount], which is an integer in
// memory alone: clients read a decimal text, and may write a number as well.
type amount struct{}

// Schema implements [huma.SchemaProvider].
func (amount) Schema(huma.Registry) *huma.Schema {
	least := 0.0
	return &huma.Schema{
		Description: "A decimal of at most six digits behind the point; always a text in answers.",
		OneOf: []*huma.Schema{
			{Type: huma.TypeString, Pattern: `^[0-9]{1,13}(\.[0-9]{1,6})?$`},
			{Type: huma.TypeNumber, Minimum: &least},
		},
	}
}

// newSchemas is where the document's types are, with what domain types look like
// in JSON where their form in memory does not tell.
func newSchemas() huma.Registry {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[tenant.Amount](), reflect.TypeFor[amount]())
	return schemas
}
