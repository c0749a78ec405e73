package provider

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// layoutTool is a tool whose layout is the test's.
func layoutTool(t *testing.T, body, parameters string) (*tool, error) {
	t.Helper()
	return compileTool(openManifest(), ToolSpec{
		Name: "write", Safety: "unsafe", Method: "POST", Path: "/things", Body: json.RawMessage(body),
		Parameters: json.RawMessage(`{"type":"object","additionalProperties":false,"required":[],"properties":{` + parameters + `}}`),
	})
}

const layoutParameters = `"codes":{"type":"array","default":["x","y"]},"weight":{"type":"number"},"box":{"type":"object"},"flag":{"type":"boolean"}`

func TestLayouts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, arguments, want string }{
		"all arguments":        {`"{*}"`, `{"codes":["a"],"weight":1.50}`, `{"codes":["a"],"weight":1.50}`},
		"a default":            {`{"c":"{codes}","w":"{weight}","b":"{box}","f":"{flag}"}`, `{}`, `{"c":["x","y"]}`},
		"a list as body":       {`"{codes}"`, `{"codes":[1,{"a":2}]}`, `[1,{"a":2}]`},
		"a list laid out":      {`["{codes/0}","{codes/5}","z"]`, `{"codes":["a"]}`, `["a","z"]`},
		"for each":             {`{"list":{"$each":"codes","code":"{.}","n":"{#}","t":"{#|text}","w":"{weight|text}"}}`, `{"codes":["a","b"],"weight":1.50}`, `{"list":[{"code":"a","n":1,"t":"1","w":"1.50"},{"code":"b","n":2,"t":"2","w":"1.50"}]}`},
		"for each of none":     {`{"list":{"$each":"codes","code":"{.}"},"k":1}`, `{"codes":[]}`, `{"k":1}`},
		"for each of no list":  {`{"list":{"$each":"weight","code":"{.}"},"k":1}`, `{"weight":1}`, `{"k":1}`},
		"for each as the body": {`{"$each":"codes","code":"{.}","f":"{flag|text}"}`, `{"codes":["a"],"flag":true}`, `[{"code":"a","f":"true"}]`},
		"below an argument":    {`{"p":"{box/peso|text}","q":"{box/none|text}"}`, `{"box":{"peso":3}}`, `{"p":"3"}`},
		"no text of an object": {`{"b":"{box|text}","k":1}`, `{"box":{"a":1}}`, `{"k":1}`},
		"no element outside":   {`{"k":1,"e":"{.}","n":"{#}"}`, `{}`, `{"k":1}`},
		"nothing at all":       {`{"b":"{box}"}`, `{}`, `{}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Every parameter has to have a place; the query takes those that the body leaves.
			made, err := compileTool(openManifest(), ToolSpec{
				Name: "write", Safety: "unsafe", Method: "POST", Path: "/things", Body: json.RawMessage(test.body),
				Query:      json.RawMessage(`{"q":["{codes}","{weight}","{box}","{flag}"]}`),
				Parameters: json.RawMessage(`{"type":"object","additionalProperties":false,"required":[],"properties":{` + layoutParameters + `}}`),
			})
			require.NoError(t, err)
			if name == "all arguments" { // They are those that are nowhere else.
				made, err = layoutTool(t, test.body, layoutParameters)
				require.NoError(t, err)
			}
			args, fault := made.arguments(json.RawMessage(test.arguments))
			require.Nil(t, fault)
			made.query = nil
			got, fault := made.request(openManifest(), args, events.EnvironmentTest, "")
			require.Nil(t, fault)
			require.Empty(t, cmp.Diff(document(t, test.want), document(t, string(got.body))))
			require.Equal(t, "application/json", got.contentType)
		})
	}
}

func TestLayoutsThatMeanNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, parameters, want string }{
		"an unknown list":             {`{"l":{"$each":"kodes","c":"{.}"},"rest":"{*}"}`, `"codes":{"type":"array"}`, "{kodes} is neither"},
		"an unknown text":             {`{"l":"{kodes|text}","rest":"{*}"}`, `"codes":{"type":"array"}`, "{kodes} is neither"},
		"half a placeholder":          {`{"l":"no {codes}","rest":"{*}"}`, `"codes":{"type":"array"}`, "no whole placeholder"},
		"a default that does not fit": {`"{*}"`, `"codes":{"type":"array","default":"x"}`, "default of codes"},
	} {
		_, err := layoutTool(t, test.body, test.parameters)
		require.ErrorContains(t, err, test.want, name)
	}
}

func TestAFormIsAnObject(t *testing.T) {
	t.Parallel()
	made, err := layoutTool(t, `"{codes}"`, `"codes":{"type":"array"}`)
	require.NoError(t, err)
	manifest := openManifest()
	manifest.Body = EncodingForm
	_, fault := made.request(manifest, map[string]any{"codes": []any{"a"}}, events.EnvironmentTest, "")
	require.NotNil(t, fault)
	require.Contains(t, fault.Message, "the body is no object")
}

// document keeps numbers as they are written.
func document(t *testing.T, text string) any {
	t.Helper()
	parsed, err := parseLayout(json.RawMessage(text))
	require.NoError(t, err)
	return parsed
}
