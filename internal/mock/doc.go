// Package mock is test mode: the answers that a caller declares for a session's
// tools, given in the providers' place.
//
// It owns the gate that mocks pass on their way in, the form that they must
// have, and what they answer. Names, codes and messages are those of CodeSpar's
// protocol, so that a test suite written for it passes here.
//
//	mocks of a request ──► [Gate]: flag ──► size ──► shape ──► [Set] ──► session.opened
//	tool call ──► [Set.Answer]: an object each time; the objects of a list in order, then mocks_exhausted
//
// It promises that a set has an answer or a fault for every tool there is, so
// nobody who asks it has a reason to go on to a provider, and that no message
// repeats what a caller wrote, but for the name of a tool.
//
// It does not count: how many answers of a list were given is in the session's
// log, and comes in as an argument. It does no I/O.
package mock
