// Package exporting tells other systems of usage, as it comes.
//
// It owns when each system is told, by whom of several replicas, and what
// happens when one of them cannot be told:
//
//	standing by ──lease──► telling ──told──► pause ──► telling
//	     ▲                    └──failed──► pause that doubles ──► telling
//	     └──────────── lease lost ◄───────────┘
//
// It promises that a system that is slow, away or refuses delays no other: each
// has a part, a lease and a pause of its own. Of several replicas one tells a
// system. That one may die with kill -9, or freeze and come back beside its
// successor: what is told twice has the identifier that it had, see
// [internal/export].
//
// It keeps no progress (the ledger does) and does not know what is told, nor
// how.
//
// [internal/export]: https://pkg.go.dev/github.com/feira-dev/feira/internal/export
package exporting
