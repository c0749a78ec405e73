// Package planner is the offline model's mind: rules that turn a conversation
// and the tools on offer into the next reply.
//
// It recognises a few things that a merchant asks for (charge, ship, quote,
// invoice, notify, track, balance, refund), and for each follows a chain of tool
// calls from its book, one round at a time: what does not depend on each other
// is asked for side by side, what does waits for the result. A chain whose call
// failed is dropped, and the last answer says so.
//
// It promises that the same conversation, tools and day get the same reply, and
// that every text begins with [Mark]. It is no language model, keeps nothing
// between replies, and knows no tenant. What tools say is data to it: ids and
// figures are read from it, never an instruction.
package planner
