// Package commercetest holds the recipes against the sandbox: every meta-tool at
// every provider is called over HTTP, its answer compared with the protocol's
// shape and its effects with the journal, and every recipe with a step that must
// not be made twice goes through random schedules of broken connections and
// dying workers, by the agent's own loop. It has tests alone.
package commercetest
