package arch

import (
	"slices"
	"strings"
)

func importRules() []Rule {
	return []Rule{
		{
			Name: "layer", Why: "a package that nobody placed is where layers begin to leak",
			check: checkLayer,
		},
		{
			Name: "direction", Why: "a package that knows what stands above it cannot be used without it",
			check: checkDirection,
		},
		{
			Name: "side-by-side", Why: "workers and adapters meet in internal/app alone, so each can be replaced",
			check: checkSideBySide,
		},
		{
			Name: "clients", Why: "one broker client known in three packages can be replaced in three packages",
			check: checkClients,
		},
		{
			Name: "test-only", Why: "test code in the binary is attack surface and start-up time that nobody asked for",
			check: checkTestOnly,
		},
	}
}

func checkLayer(tree *Tree, report reportFunc) {
	var seen []string
	for _, file := range tree.Files {
		if slices.Contains(seen, file.Dir) {
			continue
		}
		seen = append(seen, file.Dir)
		if _, layer := component(file.Dir); layer == LayerNone {
			report(file, 1, "package %s has no layer; give it one in internal/arch/layers.go", file.Dir)
		}
	}
}

// checkDirection holds code to lower layers or its own. Tests are held only
// not to reach for the composition.
func checkDirection(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		own, layer := component(file.Dir)
		if layer == LayerNone || layer == LayerTest {
			continue
		}
		for _, imported := range file.Imports {
			dir, ok := ours(imported.Path)
			if !ok {
				continue
			}
			other, target := component(dir)
			upwards := target > layer && target != LayerTest
			if file.Test() || suite(file.Dir) {
				upwards = upwards && target >= LayerApp
			}
			if upwards && other != own {
				report(file, imported.Line, "%s (%s) imports %s (%s); imports point down", own, layer, other, target)
			}
		}
	}
}

func checkSideBySide(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		own, layer := component(file.Dir)
		if layer != LayerSide || file.Test() || suite(file.Dir) {
			continue
		}
		for _, imported := range file.Imports {
			dir, ok := ours(imported.Path)
			if !ok {
				continue
			}
			// The sandbox has a rule of its own, which says more.
			if other, target := component(dir); target == LayerSide && other != own && other != sandbox {
				report(file, imported.Line, "%s imports %s; they stand side by side and meet in internal/app", own, other)
			}
		}
	}
}

// client is a library and the components that may know it.
type client struct {
	prefix  string
	knownTo []string
}

func clients() []client {
	nats := []string{"internal/bus", "internal/natskv", "internal/natsd", "internal/testenv", "internal/arch"}
	return []client{
		{prefix: "github.com/nats-io/", knownTo: nats},
		{prefix: "github.com/synadia-io/", knownTo: nats},
		{prefix: "github.com/ThreeDotsLabs/watermill", knownTo: []string{"internal/bus"}},
	}
}

func checkClients(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		if file.Test() {
			continue
		}
		own, _ := component(file.Dir)
		for _, imported := range file.Imports {
			for _, client := range clients() {
				if strings.HasPrefix(imported.Path, client.prefix) && !slices.Contains(client.knownTo, own) {
					report(file, imported.Line, "%s imports %s; only %s may", own, imported.Path, strings.Join(client.knownTo, ", "))
				}
			}
		}
	}
}

const sandbox = "internal/sandbox"

// testModules are never linked into the binary.
func testModules() []string {
	return []string{
		"testing", "github.com/stretchr/testify", "github.com/google/go-cmp",
		"github.com/rogpeppe/go-internal", "go.uber.org/goleak", "pgregory.net/rapid",
	}
}

func checkTestOnly(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		if file.Test() || testOnly(file.Dir) {
			continue
		}
		own, layer := component(file.Dir)
		for _, imported := range file.Imports {
			for _, module := range testModules() {
				if imported.Path == module || strings.HasPrefix(imported.Path, module+"/") {
					report(file, imported.Line, "%s imports %s outside of a test", own, imported.Path)
				}
			}
			dir, ok := ours(imported.Path)
			if !ok {
				continue
			}
			if testOnly(dir) {
				report(file, imported.Line, "%s imports %s outside of a test", own, dir)
			}
			if other, _ := component(dir); other == sandbox && own != sandbox && layer < LayerApp {
				report(file, imported.Line, "%s imports %s; outside of tests only internal/app and cmd run the offline world", own, dir)
			}
		}
	}
}
