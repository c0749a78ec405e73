package argument

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForeignSchemasAreCheckedAsFarAsTheyCanBe(t *testing.T) {
	t.Parallel()
	schema, err := CompileForeign(json.RawMessage(`{
		"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["to"],
		"properties": {
			"to": {"type": "string", "pattern": "^(?!\\.)a"},
			"at": {"$ref": "#/definitions/time"}, "until": {"$ref": "#/definitions/time"},
			"id": {"type": "string", "pattern": "^[a-z]+$"}
		},
		"definitions": {"time": {"type": "string", "maxLength": 5}}
	}`))
	require.NoError(t, err)
	_, fault := Check(schema, json.RawMessage(`{"to":"b","at":"12:00","id":"x"}`))
	require.Nil(t, fault)
	for arguments, want := range map[string]string{
		`{}`:                       "/: is missing to",
		`{"to":"x","at":"12:00h"}`: "/at: is longer than 5",
		`{"to":"x","id":"7"}`:      "/id: has to match ^[a-z]+$",
		`{"to":7}`:                 "/to: want string, got number",
	} {
		_, fault := Check(schema, json.RawMessage(arguments))
		require.NotNil(t, fault, arguments)
		require.Contains(t, fault.Message, want)
	}
}

func TestSchemasThatTakeForEverAreNotChecked(t *testing.T) {
	t.Parallel()
	// Each level refers to the next one twice.
	doubling := func(levels int) string {
		var b strings.Builder
		b.WriteString(`{"type":"object","properties":{"x":{"$ref":"#/$defs/0"}},"$defs":{`)
		for i := range levels {
			fmt.Fprintf(&b, `"%d":{"allOf":[{"$ref":"#/$defs/%d"},{"$ref":"#/$defs/%d"}]},`, i, i+1, i+1)
		}
		fmt.Fprintf(&b, `"%d":{"type":"string"}}}`, levels)
		return b.String()
	}
	_, err := CompileForeign(json.RawMessage(doubling(4)))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"doubling":          doubling(100),
		"itself":            `{"type":"object","properties":{"x":{"$ref":"#"}}}`,
		"a ring":            `{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"not":{"$ref":"#/$defs/a"}}}}`,
		"a dynamic one":     `{"$dynamicRef":"#x"}`,
		"an anchor":         `{"$ref":"#there","$defs":{"a":{"$anchor":"there"}}}`,
		"another base":      `{"$id":"https://other.example/","$ref":"#/x"}`,
		"another place":     `{"$ref":"https://other.example/schema.json"}`,
		"a file":            `{"$ref":"file:///etc/passwd"}`,
		"nothing there":     `{"$ref":"#/$defs/none"}`,
		"through a list":    `{"$ref":"#/allOf/0","allOf":[{}]}`,
		"a ref of no text":  `{"$ref":7}`,
		"a meta schema's":   `{"$recursiveRef":"#"}`,
		"many more of them": `{"allOf":[` + strings.Repeat(`{},`, maxWeight) + `{}]}`,
	} {
		_, err := CompileForeign(json.RawMessage(text))
		require.ErrorIs(t, err, ErrUnbounded, name)
	}
	_, err = CompileForeign(json.RawMessage(`{"type":7}`))
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrUnbounded)
	_, err = CompileForeign(json.RawMessage(`{"properties":{"id":{"type":"string"},"$id":{"type":"string"}}}`))
	require.NoError(t, err, "a property may have any name")
}

func TestWithoutASchemaAnObjectWillDo(t *testing.T) {
	t.Parallel()
	args, fault := Check(nil, json.RawMessage(`{"x":1}`))
	require.Nil(t, fault)
	require.Equal(t, map[string]any{"x": json.Number("1")}, args)
	_, fault = Check(nil, json.RawMessage(`[1]`))
	require.NotNil(t, fault)
	require.Contains(t, fault.Message, "want a JSON object")
}
