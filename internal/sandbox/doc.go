// Package sandbox is Feira's offline world: a model and six providers, as real
// HTTP servers on the loopback interface, spoken to by the real clients.
//
// It owns one listener, under which each server has a path of its own; the
// accounts, each with a state of its own; the journal of effects; and the
// faults to come. With the same seed, clock and order of calls, it answers
// byte for byte the same.
//
// It promises never to listen on, or to serve a client from, another interface
// than loopback, and that what a client was told is what the journal says,
// unless a fault was asked for. It keeps nothing on disk: a restart is an empty
// world. The model is a planner by rules and says so in everything it says.
//
// What happens at an account is told to the webhooks that were set for it, as the
// provider tells it and signed as it signs: package outbox. The sandbox calls this
// machine alone. Customers and carriers act at /_sandbox/{server}/...: they pay a
// Pix, take in a parcel, read a message.
//
// For people and scripts, GET /_sandbox/webhooks tells how each queue of webhooks
// does, GET /_sandbox/journal lists the effects (filtered by
// server, account, effect, object, key and reference), and GET
// /_sandbox/conversations how often each conversation was answered.
package sandbox
