// Package arch holds the rules of the house that a compiler does not: which
// package may import which, who may know NATS and Watermill, where a subject
// may be spelled, how long a file may get.
//
// It owns the layer table of the design and every rule over the source tree.
// It promises that each rule fires: the tests plant each fault in a tree of
// their own and see it found, and a package without a layer is a fault too.
//
// It reads files with go/parser and runs nothing: a test that shells out to
// `go list` is cached by `go test` and stays green after a bad import. It does
// not judge style that golangci-lint judges.
package arch
