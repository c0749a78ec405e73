// Package agent is the loop that turns a request into an answer: model, tools,
// model, until a final answer or a limit.
//
// It owns the loop, the limits of a turn, the prompt, the wall around tool
// calls and their idempotency keys. It declares what it needs of the world as
// ports: [Model], [Catalogue], [Provider], [Journal].
//
// It promises that a reply is written to the journal before any of its tool
// calls is sent, that a call found in the journal without an outcome is sent
// again only where that is harmless, that no tool outside the session's
// servers is sent, nor any of a session whose tools mocks answer, that every
// ending is told as a turn.completed, and that a prompt offers no more than
// [MaxPromptTools], the same ones to whoever goes on with the turn.
//
// It does no I/O of its own, never waits long, and does not know where the
// journal is kept or who runs it.
package agent
