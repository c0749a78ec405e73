// Package events is what crosses a process border: identifiers, subjects and
// streams, the envelope, and one file for each event.
//
// It owns every subject, stream, bucket and header literal of Feira; no other
// package spells one. It owns the JSON of every event, pinned by the golden
// examples and JSON Schemas in package schemas.
//
// It promises that what [Encode] writes, [Decode] reads back unchanged, that a
// reader tolerates fields that it does not know, and that a writer refuses an
// event whose own Validate finds fault with it.
//
// It does not do I/O, keep time or decide anything.
package events
