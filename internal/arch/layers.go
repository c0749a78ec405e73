package arch

import (
	"path"
	"strings"
)

// Layer is a height in the tree; imports point to lower ones.
type Layer int

// Layers, the lowest first.
const (
	// LayerNone is no layer, which is a fault.
	LayerNone Layer = iota
	LayerSchemas
	LayerEvents
	LayerDomain
	LayerBase
	// LayerSide holds workers, adapters and the sandbox, side by side: none of
	// them imports another.
	LayerSide
	// LayerApp composes: the app, and the bench that measures the same parts.
	LayerApp
	LayerCommand
	// LayerTest is compiled for tests alone and may import anything.
	LayerTest
)

// String implements fmt.Stringer.
func (l Layer) String() string {
	switch l {
	case LayerNone:
		return "none"
	case LayerSchemas:
		return "schemas"
	case LayerEvents:
		return "events"
	case LayerDomain:
		return "domain"
	case LayerBase:
		return "base"
	case LayerSide:
		return "workers and adapters"
	case LayerApp:
		return "app"
	case LayerCommand:
		return "cmd"
	case LayerTest:
		return "tests"
	}
	return "unknown"
}

// layers is section 6 of the design as a table. A component is a folder with
// all below it; a new one belongs here before it compiles.
func layers() map[string]Layer {
	return map[string]Layer{
		"schemas": LayerSchemas,
		"events":  LayerEvents,

		"internal/tenant":   LayerDomain,
		"internal/session":  LayerDomain,
		"internal/agent":    LayerDomain,
		"internal/fair":     LayerDomain,
		"internal/usage":    LayerDomain,
		"internal/outcome":  LayerDomain,
		"internal/argument": LayerDomain,
		"internal/hostile":  LayerDomain,
		"internal/access":   LayerDomain,
		"internal/mock":     LayerDomain,
		"internal/commerce": LayerDomain,
		"internal/gcra":     LayerDomain,
		"internal/money":    LayerDomain,
		"internal/rating":   LayerDomain,
		"internal/invoice":  LayerDomain,

		"internal/budget":   LayerDomain,
		"internal/standing": LayerDomain,
		"internal/proxy":    LayerDomain,
		"internal/trigger":  LayerDomain,
		"internal/webhook":  LayerDomain,
		"internal/poll":     LayerDomain,

		"internal/fault":     LayerBase,
		"internal/paper":     LayerBase,
		"internal/lifecycle": LayerBase,
		"internal/config":    LayerBase,
		"internal/telemetry": LayerBase,
		"internal/egress":    LayerBase,

		"workers/scheduling": LayerSide,
		"workers/turns":      LayerSide,
		"workers/metering":   LayerSide,
		"workers/webhooks":   LayerSide,
		"workers/triggers":   LayerSide,
		"workers/upkeep":     LayerSide,
		"workers/exporting":  LayerSide,

		"internal/bus":      LayerSide,
		"internal/natsd":    LayerSide,
		"internal/pgd":      LayerSide,
		"internal/natskv":   LayerSide,
		"internal/vault":    LayerSide,
		"internal/provider": LayerSide,
		"internal/mcp":      LayerSide,
		"internal/llm":      LayerSide,
		"internal/ledger":   LayerSide,
		"internal/export":   LayerSide,
		"internal/gateway":  LayerSide,
		"internal/console":  LayerSide,
		"internal/sandbox":  LayerSide,

		"internal/app":   LayerApp,
		"internal/bench": LayerApp,
		"cmd/feira":      LayerCommand,

		"internal/testenv": LayerTest,
		"internal/chaos":   LayerTest,
		"internal/walls":   LayerTest,
		"internal/ordeal":  LayerTest,
		"internal/canary":  LayerTest,
		"internal/arch":    LayerTest,

		"internal/gateway/dialogue": LayerTest,
	}
}

// component is the entry of the layer table that a folder belongs to: the
// longest one that it is, or is below.
func component(dir string) (string, Layer) {
	for at := dir; at != "."; at = path.Dir(at) {
		if layer, ok := layers()[at]; ok {
			return at, layer
		}
	}
	return dir, LayerNone
}

// suite reports whether a folder holds a conformance suite, <parent>/<parent>test.
func suite(dir string) bool {
	return path.Base(dir) == path.Base(path.Dir(dir))+"test"
}

// testOnly reports whether a folder is for tests alone.
func testOnly(dir string) bool {
	_, layer := component(dir)
	return layer == LayerTest || suite(dir)
}

// ours returns the folder of an import path of this module.
func ours(imported string) (string, bool) {
	return strings.CutPrefix(imported, Module+"/")
}
