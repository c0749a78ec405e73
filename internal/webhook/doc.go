// Package webhook reads what providers send: first whether it is theirs, then
// what it says.
//
// It owns how each provider proves itself ([Scheme]) and how its events are
// read ([Read]): their id, the provider's name of what happened, Feira's word
// for it, the object, its status and its time.
//
// It promises that [Verify] looks at the raw bytes and parses nothing of them,
// tries every key that is active and takes the same time for each, and that
// nothing of a key is in its errors. What [Read] returns is clean and short,
// but it is a stranger's word all the same: data, never orders.
//
// It keeps no time, no keys and no memory of what came before: whether an event
// came already is for workers/webhooks to say.
package webhook
