// Package standing tells how a thing stands that a tool call began: whether the
// charge that it made has been paid, whether the person that it asked about has
// been verified.
//
// It owns the fold of a session's log into what is known of one call: the
// provider's answer to it ([events.ToolReturned]) and what the provider told
// later by webhook ([events.WebhookReceived]), in one vocabulary for all
// providers.
//
// It promises that the same log gives the same answer, that a provider's word
// which it does not know counts for nothing and is never guessed at, that what
// came late does not undo what is later, and that every event of the call is
// listed, whatever it was taken for.
//
// It asks no provider, reads no log and waits for nothing.
package standing
