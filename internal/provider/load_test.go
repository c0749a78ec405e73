package provider

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestEmbeddedManifestsAreValid(t *testing.T) {
	t.Parallel()
	manifests, err := Embedded()
	require.NoError(t, err)
	require.Len(t, manifests, 6)
	tools := 0
	for _, manifest := range manifests {
		tools += len(manifest.Tools)
	}
	require.Equal(t, 144, tools)
	require.NoError(t, Check(manifests))
}

func TestTheHostsAreThoseOfTheProviders(t *testing.T) {
	t.Parallel()
	manifests, err := Embedded()
	require.NoError(t, err)
	hosts := map[string]map[events.Environment]string{}
	for _, manifest := range manifests {
		hosts[manifest.ID] = manifest.BaseURLs
	}
	on := func(live, test string) map[events.Environment]string {
		if test == "" {
			return map[events.Environment]string{events.EnvironmentLive: live}
		}
		return map[events.Environment]string{events.EnvironmentLive: live, events.EnvironmentTest: test}
	}
	require.Empty(t, cmp.Diff(map[string]map[events.Environment]string{
		"stripe":       on("https://api.stripe.com/v1", "https://api.stripe.com/v1"),
		"correios":     on("https://api.correios.com.br", "https://apihom.correios.com.br"),
		"nuvem-fiscal": on("https://api.nuvemfiscal.com.br", "https://api.sandbox.nuvemfiscal.com.br"),
		"asaas":        on("https://api.asaas.com/v3", "https://api-sandbox.asaas.com/v3"),
		"melhor-envio": on("https://melhorenvio.com.br/api/v2", "https://sandbox.melhorenvio.com.br/api/v2"),
		"z-api":        on("https://api.z-api.io", ""),
	}, hosts))
}

// whole is a manifest of one tool, of which a test takes what it needs.
const whole = `id: open
name: Open
category: payments
country: BR
docs: https://open.example/docs
base_urls: {live: "https://open.example"}
credential: {fields: [{name: key, description: Key, secret: true}]}
auth: {kind: header, headers: {X-Key: "{key}"}}
headers: {Accept: application/json, User-Agent: Feira}
body: json
`

const oneTool = `tools:
  - name: NAME
    description: Reads a thing.
    safety: read
    method: GET
    path: /things
    parameters: {type: object, additionalProperties: false, required: [], properties: {}}
    returns: {type: object}
`

func tools(names ...string) *fstest.MapFile {
	text := ""
	for _, name := range names {
		text += strings.Replace(strings.TrimPrefix(oneTool, "tools:\n"), "NAME", name, 1)
	}
	return &fstest.MapFile{Data: []byte("tools:\n" + text)}
}

func TestAManifestHasParts(t *testing.T) {
	t.Parallel()
	manifests, err := Load(fstest.MapFS{
		"open.yaml": {Data: append([]byte(whole), tools("first").Data...)}, "open/b.yaml": tools("fourth"), "open/a.yaml": tools("second", "third"),
	})
	require.NoError(t, err)
	require.Len(t, manifests, 1)
	var names []string
	for _, tool := range manifests[0].Tools {
		names = append(names, tool.Name)
	}
	require.Equal(t, []string{"first", "second", "third", "fourth"}, names)

	_, err = Load(fstest.MapFS{"open.yaml": {Data: []byte(whole)}, "open/a.yaml": tools("bad name"), "open/b.yaml": {Data: []byte("id: open")}})
	for _, part := range []string{"open/a.yaml", "open/b.yaml", "open.yaml: tools are missing"} {
		require.ErrorContains(t, err, part)
	}
	require.ErrorIs(t, err, ErrInvalidManifest)
}

func TestCheckJoinsEveryFaultOfEveryManifest(t *testing.T) {
	t.Parallel()
	bad := openManifest()
	bad.Auth.Headers["X-Other"] = "{other}"
	bad.Tools = append(bad.Tools, bad.Tools[0])
	bad.Tools[0].Path = "/things/{missing}"
	bad.Tools[0].Returns = json.RawMessage(`{"type":"thing"}`)
	bad.Tools[1].Stakes = StakesMoney
	bad.Tools[1].Returns = json.RawMessage(`{"type":"object"}`)
	err := Check([]Manifest{bad, bad})
	for _, part := range []string{
		"open: tool read: path: {missing}", "open: tool read: returns:", "open: tool read: safety is read, though", "auth: {other}", "open is there twice",
	} {
		require.ErrorContains(t, err, part)
	}
	require.ErrorIs(t, err, ErrInvalidManifest)
}
