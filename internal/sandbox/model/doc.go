// Package model is the offline model: an OpenAI-compatible chat API over the
// rules of package planner.
//
// It owns the wire: POST /v1/chat/completions, whole or streamed, and GET
// /v1/models. It is as strict as the real one about what it is sent: an
// unanswered tool call, a tool message that answers none, a tool without a
// proper name are 400. Tokens are counted as a quarter of the bytes.
//
// It counts how often each conversation was asked for and answered, so that a
// test can see that no reply was bought twice. It never passes for a real
// model: its name is [Name], and each text begins with the planner's mark.
//
// A line of the last user message may ask for a fault, on every try:
//
//	/garbage        200 with what is no JSON
//	/empty          200 with no choices
//	/badargs        a tool call whose arguments are no JSON
//	/fail 429       an error of that status; 429 says Retry-After
//	/hang           no answer until the client leaves
//	/cut            half an answer, then the connection is closed
//	/wait 150ms     a pause before the answer
//	/long 100000    a text of that many bytes
//
// The planner's own directives, /call, /then, /loop and /say, are told there.
package model
