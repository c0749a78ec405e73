// Package bus is Feira on NATS JetStream: the streams and their settings, the
// session log with its fence, requests, runs and their leases, dead letters,
// hints and feeds. It is the only package that knows Watermill.
//
// It owns the translation between [events.Message] and the broker's messages,
// the one switch that obeys package outcome, and the middleware chain that
// every run passes.
//
// It promises that
//
//   - a message's place (subject, sequence, time) is the broker's word, never a
//     header that its producer wrote: producers are hostile;
//   - a lost answer is never taken for a failure: errors that leave the outcome
//     open wrap [ErrUncertain];
//   - a message is fetched only into a free slot, and its lease is extended
//     with the broker's confirmation or its work is called off;
//   - what is read is whole: a cut page, a dropped message or a gap is an error
//     or is read again, never a shorter answer;
//   - no error and no log line holds a password.
//
// It does not decide who runs next, what a session's events mean, or how long
// a failed run is tried.
package bus
