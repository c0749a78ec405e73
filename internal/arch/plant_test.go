package arch_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/arch"
)

const module = arch.Module

// source is a tree in memory: a path and what stands there.
type source map[string]string

func (s source) check(t *testing.T) []string {
	t.Helper()
	tree := fstest.MapFS{}
	for name, text := range s {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	parsed, err := arch.Parse(tree)
	require.NoError(t, err)
	var faults []string
	for _, fault := range arch.Check(parsed, arch.Rules()) {
		faults = append(faults, fault.String())
	}
	return faults
}

func importing(pkg string, paths ...string) string {
	var text strings.Builder
	text.WriteString("package " + pkg + "\n\n")
	for _, path := range paths {
		text.WriteString("import _ \"" + path + "\"\n")
	}
	return text.String()
}

// plants hold, for each rule, trees that break it and the faults to be seen.
func plants() map[string][]struct {
	name string
	tree source
	want []string
} {
	type plant = struct {
		name string
		tree source
		want []string
	}
	return map[string][]plant{
		"layer": {
			{
				name: "a package that nobody placed",
				tree: source{"internal/novel/novel.go": "package novel\n", "internal/novel/more.go": "package novel\n"},
				want: []string{"internal/novel/more.go:1: package internal/novel has no layer; give it one in internal/arch/layers.go (layer)"},
			},
			{
				name: "a worker that nobody placed",
				tree: source{"workers/dreaming/dreaming.go": "package dreaming\n"},
				want: []string{"workers/dreaming/dreaming.go:1: package workers/dreaming has no layer; give it one in internal/arch/layers.go (layer)"},
			},
			{
				name: "code at the root",
				tree: source{"main.go": "package main\n"},
				want: []string{"main.go:1: package . has no layer; give it one in internal/arch/layers.go (layer)"},
			},
		},
		"direction": {
			{
				name: "domain knows configuration",
				tree: source{"internal/tenant/tenant.go": importing("tenant", module+"/internal/config")},
				want: []string{"internal/tenant/tenant.go:3: internal/tenant (domain) imports internal/config (base); imports point down (direction)"},
			},
			{
				name: "events know the domain",
				tree: source{"events/event.go": importing("events", module+"/internal/session")},
				want: []string{"events/event.go:3: events (events) imports internal/session (domain); imports point down (direction)"},
			},
			{
				name: "schemas know events",
				tree: source{"schemas/schemas.go": importing("schemas", module+"/events")},
				want: []string{"schemas/schemas.go:3: schemas (schemas) imports events (events); imports point down (direction)"},
			},
			{
				name: "a folder below a component is of its layer",
				tree: source{"internal/fair/queue/queue.go": importing("queue", module+"/internal/telemetry/trace")},
				want: []string{"internal/fair/queue/queue.go:3: internal/fair (domain) imports internal/telemetry (base); imports point down (direction)"},
			},
			{
				name: "an adapter, and its test, know the composition",
				tree: source{
					"internal/bus/bus.go":      importing("bus", module+"/internal/app"),
					"internal/bus/bus_test.go": importing("bus", module+"/internal/app"),
				},
				want: []string{
					"internal/bus/bus.go:3: internal/bus (workers and adapters) imports internal/app (app); imports point down (direction)",
					"internal/bus/bus_test.go:3: internal/bus (workers and adapters) imports internal/app (app); imports point down (direction)",
				},
			},
			{
				name: "the composition knows the command",
				tree: source{"internal/app/app.go": importing("app", module+"/cmd/feira")},
				want: []string{"internal/app/app.go:3: internal/app (app) imports cmd/feira (cmd); imports point down (direction)"},
			},
		},
		"side-by-side": {
			{
				name: "an adapter knows another",
				tree: source{"internal/gateway/gateway.go": importing("gateway", module+"/internal/ledger")},
				want: []string{"internal/gateway/gateway.go:3: internal/gateway imports internal/ledger; they stand side by side and meet in internal/app (side-by-side)"},
			},
			{
				name: "a worker knows an adapter, and another worker",
				tree: source{"workers/turns/turns.go": importing("turns", module+"/internal/bus", module+"/workers/metering")},
				want: []string{
					"workers/turns/turns.go:3: workers/turns imports internal/bus; they stand side by side and meet in internal/app (side-by-side)",
					"workers/turns/turns.go:4: workers/turns imports workers/metering; they stand side by side and meet in internal/app (side-by-side)",
				},
			},
			{
				name: "an adapter knows a worker",
				tree: source{"internal/llm/llm.go": importing("llm", module+"/workers/turns")},
				want: []string{"internal/llm/llm.go:3: internal/llm imports workers/turns; they stand side by side and meet in internal/app (side-by-side)"},
			},
		},
		"clients": {
			{
				name: "NATS outside of its three packages",
				tree: source{
					"internal/gateway/gateway.go": importing("gateway", "github.com/nats-io/nats.go/jetstream"),
					"internal/ledger/ledger.go":   importing("ledger", "github.com/synadia-io/orbit.go/jetstreamext"),
					"internal/app/app.go":         importing("app", "github.com/nats-io/nats-server/v2/server"),
				},
				want: []string{
					"internal/app/app.go:3: internal/app imports github.com/nats-io/nats-server/v2/server; only internal/bus, internal/natskv, internal/natsd, internal/testenv, internal/arch may (clients)",
					"internal/gateway/gateway.go:3: internal/gateway imports github.com/nats-io/nats.go/jetstream; only internal/bus, internal/natskv, internal/natsd, internal/testenv, internal/arch may (clients)",
					"internal/ledger/ledger.go:3: internal/ledger imports github.com/synadia-io/orbit.go/jetstreamext; only internal/bus, internal/natskv, internal/natsd, internal/testenv, internal/arch may (clients)",
				},
			},
			{
				name: "Watermill outside of the bus",
				tree: source{"internal/natskv/natskv.go": importing("natskv", "github.com/ThreeDotsLabs/watermill/message")},
				want: []string{"internal/natskv/natskv.go:3: internal/natskv imports github.com/ThreeDotsLabs/watermill/message; only internal/bus may (clients)"},
			},
		},
		"test-only": {
			{
				name: "test code in the binary",
				tree: source{"internal/ledger/ledger.go": importing("ledger",
					"testing/fstest", "github.com/stretchr/testify/require",
					module+"/internal/testenv", module+"/internal/lifecycle/lifecycletest", module+"/internal/ledger/ledgertest")},
				want: []string{
					"internal/ledger/ledger.go:3: internal/ledger imports testing/fstest outside of a test (test-only)",
					"internal/ledger/ledger.go:4: internal/ledger imports github.com/stretchr/testify/require outside of a test (test-only)",
					"internal/ledger/ledger.go:5: internal/ledger imports internal/testenv outside of a test (test-only)",
					"internal/ledger/ledger.go:6: internal/ledger imports internal/lifecycle/lifecycletest outside of a test (test-only)",
					"internal/ledger/ledger.go:7: internal/ledger imports internal/ledger/ledgertest outside of a test (test-only)",
				},
			},
			{
				name: "the composition runs test servers",
				tree: source{"internal/app/app.go": importing("app", module+"/internal/testenv", module+"/internal/arch")},
				want: []string{
					"internal/app/app.go:3: internal/app imports internal/testenv outside of a test (test-only)",
					"internal/app/app.go:4: internal/app imports internal/arch outside of a test (test-only)",
				},
			},
			{
				name: "an adapter knows the offline world",
				tree: source{"internal/provider/provider.go": importing("provider", module+"/internal/sandbox/stripe")},
				want: []string{"internal/provider/provider.go:3: internal/provider imports internal/sandbox/stripe; outside of tests only internal/app and cmd run the offline world (test-only)"},
			},
		},
		"length": {
			{
				name: "one line too many",
				tree: source{"events/long.go": "package events\n" + strings.Repeat("\n", arch.MaxLines)},
				want: []string{"events/long.go:601: 601 lines, at most 600 are allowed; split it by noun (length)"},
			},
		},
		"name": {
			{
				name: "a folder, a package and a test package named for nothing",
				tree: source{
					"internal/tenant/helpers/x.go":   "package tenants\n",
					"internal/tenant/y/y.go":         "package common\n",
					"internal/tenant/z/z_test.go":    "package util_test\n",
					"internal/tenant/rates/rates.go": "package tenant_rates\n",
				},
				want: []string{
					`internal/tenant/helpers/x.go:1: package name "helpers" says nothing (name)`,
					`internal/tenant/rates/rates.go:1: package name "tenant_rates" has an underscore (name)`,
					`internal/tenant/y/y.go:1: package name "common" says nothing (name)`,
					`internal/tenant/z/z_test.go:1: package name "util" says nothing (name)`,
				},
			},
		},
		"wire": {
			{
				name: "a subject, a bucket, a header and an event type outside of events",
				tree: source{
					"internal/bus/bus.go":       "package bus\n\nconst subject = \"feira.\" + \"requests.\"\n\nvar all = `feira.requests.>`\n",
					"internal/natskv/natskv.go": "package natskv\n\nvar bucket = \"feira_leases\"\n",
					"workers/turns/turns.go":    "package turns\n\nvar (\n\theader = \"Feira-Session\"\n\tname = \"feira.turn.started.v1\"\n\tid = \"Ce-Id\"\n)\n",
				},
				want: []string{
					`internal/bus/bus.go:5: "feira.requests.>" is spelled here; only package events spells what is on the wire (wire)`,
					`internal/natskv/natskv.go:3: "feira_leases" is spelled here; only package events spells what is on the wire (wire)`,
					`workers/turns/turns.go:4: "Feira-Session" is spelled here; only package events spells what is on the wire (wire)`,
					`workers/turns/turns.go:5: "feira.turn.started.v1" is spelled here; only package events spells what is on the wire (wire)`,
					`workers/turns/turns.go:6: "Ce-Id" is spelled here; only package events spells what is on the wire (wire)`,
				},
			},
		},
		"float": {
			{
				name: "floats of any name where rows are counted, but not beside it",
				tree: source{
					"internal/rating/rating.go": "package rating\n\nvar half = 0.5\n\nfunc f(x float32) { strconv.ParseFloat(y) }\n",
					"internal/fair/fair.go":     "package fair\n\nvar half = 0.5\n",
				},
				want: []string{
					"internal/rating/rating.go:3: 0.5 in a place that counts exactly (float)",
					"internal/rating/rating.go:5: ParseFloat in a place that counts exactly (float)",
					"internal/rating/rating.go:5: float32 in a place that counts exactly (float)",
				},
			},
		},
		"money": {
			{
				name: "floats beside money, in every kind of declaration",
				tree: source{"internal/fair/fair.go": `package fair

type Price float64

type Row struct {
	UnitCost *float32
	Prices   map[string]float64
}

const taxOnFee = 0.1

func Amount(text string, spent float64) float64 {
	budget := float64(1)
	balance, err := strconv.ParseFloat(text, 64)
	_, _ = balance, err
	return budget
}
`},
				want: []string{
					"internal/fair/fair.go:3: Price is a float; money is apd.Decimal or whole minor units (money)",
					"internal/fair/fair.go:6: UnitCost is a float; money is apd.Decimal or whole minor units (money)",
					"internal/fair/fair.go:7: Prices is a float; money is apd.Decimal or whole minor units (money)",
					"internal/fair/fair.go:10: taxOnFee is a float; money is apd.Decimal or whole minor units (money)",
					"internal/fair/fair.go:12: Amount is a float; money is apd.Decimal or whole minor units (money)",
					"internal/fair/fair.go:12: spent is a float; money is apd.Decimal or whole minor units (money)",
					"internal/fair/fair.go:13: budget is a float; money is apd.Decimal or whole minor units (money)",
					"internal/fair/fair.go:14: balance is a float; money is apd.Decimal or whole minor units (money)",
				},
			},
		},
		"sleep": {
			{
				name: "a sleep in a test and in test code, under any name",
				tree: source{
					"internal/bus/bus_test.go":    "package bus\n\nimport clock \"time\"\n\nfunc f() { clock.Sleep(clock.Second) }\n",
					"internal/testenv/testenv.go": "package testenv\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n",
				},
				want: []string{
					"internal/bus/bus_test.go:5: time.Sleep in a test; wait for a signal, or use testing/synctest (sleep)",
					"internal/testenv/testenv.go:5: time.Sleep in a test; wait for a signal, or use testing/synctest (sleep)",
				},
			},
		},
		"clock": {
			{
				name: "the domain reads the clock",
				tree: source{"internal/fair/fair.go": "package fair\n\nimport \"time\"\n\nvar now = time.Now\n\nfunc f() { <-time.After(1) }\n"},
				want: []string{
					"internal/fair/fair.go:5: time.Now in the domain; time comes in as an argument (clock)",
					"internal/fair/fair.go:7: time.After in the domain; time comes in as an argument (clock)",
				},
			},
		},
	}
}

// TestRulesFire plants each fault and sees that fault and no other. A rule
// without a plant is a fault of this test.
func TestRulesFire(t *testing.T) {
	t.Parallel()
	planted := plants()
	for _, rule := range arch.Rules() {
		require.NotEmpty(t, rule.Why, rule.Name)
		require.NotEmpty(t, planted[rule.Name], "rule %s has no planted fault", rule.Name)
		for _, plant := range planted[rule.Name] {
			t.Run(rule.Name+"/"+plant.name, func(t *testing.T) {
				t.Parallel()
				require.Empty(t, cmp.Diff(plant.want, plant.tree.check(t)))
			})
		}
	}
	require.Len(t, planted, len(arch.Rules()), "a plant is for no rule")
}

// TestRulesAllow is the other side: what stands where it belongs is no fault.
func TestRulesAllow(t *testing.T) {
	t.Parallel()
	tree := source{
		"schemas/schemas.go":                              importing("schemas", "github.com/santhosh-tekuri/jsonschema/v6"),
		"schemas/provider/provider.go":                    importing("provider", module+"/schemas"),
		"events/subjects.go":                              "package events\n\nconst all = \"feira.requests.*\"\n",
		"internal/agent/agent.go":                         importing("agent", module+"/events", module+"/internal/session"),
		"internal/provider/asaas/asaas.go":                importing("asaas", module+"/internal/provider", module+"/internal/telemetry"),
		"internal/bus/bus.go":                             importing("bus", "github.com/nats-io/nats.go", "github.com/ThreeDotsLabs/watermill/message"),
		"internal/ledger/ledgertest/suite.go":             importing("ledgertest", "testing", module+"/internal/testenv"),
		"internal/ledger/ledger_test.go":                  importing("ledger_test", module+"/internal/ledger/ledgertest", module+"/internal/sandbox"),
		"internal/testenv/testenv.go":                     importing("testenv", "testing", module+"/internal/natsd", "github.com/nats-io/nats.go"),
		"workers/turns/turns.go":                          importing("turns", module+"/internal/agent", module+"/internal/lifecycle"),
		"workers/turns/turns_test.go":                     importing("turns_test", module+"/internal/bus", module+"/internal/testenv"),
		"internal/app/app.go":                             importing("app", module+"/workers/turns", module+"/internal/sandbox"),
		"cmd/feira/main.go":                               importing("main", module+"/internal/app", module+"/internal/sandbox"),
		"internal/session/session_test.go":                "package session\n\nvar future = \"feira.session.renamed.v1\"\n",
		"internal/ledger/ledgertest/wire.go":              "package ledgertest\n\nvar subject = \"feira.usage.acme.x\"\n",
		"internal/fair/testdata/broken.go":                "this is no Go",
		".bin/tool.go":                                    "nor is this",
		"internal/fair/fair.go":                           "package fair\n\nvar share, weight float64\n\nvar cost int64\n\nfunc f() { rate := 0.5; _ = rate }\n",
		"internal/session/session.go":                     "package session\n\nimport \"time\"\n\nvar limit = time.Second\n",
		"internal/lifecycle/wait.go":                      "package lifecycle\n\nimport \"time\"\n\nvar now = time.Now\n",
		"internal/lifecycle/lifecycletest/lifecycle.go":   importing("lifecycletest", "testing", module+"/internal/lifecycle"),
		"internal/lifecycle/lifecycletest/stress_test.go": "package lifecycletest_test\n",
	}
	require.Empty(t, tree.check(t))
}

func TestParseNamesTheFileThatIsNoGo(t *testing.T) {
	t.Parallel()
	_, err := arch.Parse(fstest.MapFS{"events/broken.go": {Data: []byte("package")}})
	require.ErrorContains(t, err, "events/broken.go")
}
