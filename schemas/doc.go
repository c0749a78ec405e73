// Package schemas is the contract of everything that crosses a process border,
// in forms that other languages read: a JSON Schema for each event, request and
// hint, one for the headers of each kind of message, an AsyncAPI document, and
// golden examples of every event as it travels.
//
// It owns no meaning: the Go types of package events do, and the schemas are
// generated from them (`task gen`), so a change of the contract shows as a diff
// here. It promises that [Validate] refuses what a careful writer would not
// send, an unknown field too, and names the place by a JSON pointer. Readers
// are to be more tolerant than that: they pass over what they do not know.
//
// It imports nothing of Feira.
package schemas
