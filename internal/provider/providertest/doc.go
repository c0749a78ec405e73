// Package providertest holds the manifests against the sandbox: every tool of
// every provider is called as in the dialogue of that provider in testdata, and
// what its fake received is compared field by field with the documented
// request, its answer with the tool's schema, and its effects with the journal.
//
// The same dialogues are then held through faults: late, refused, cut off
// before and after the effect, garbled, with a wrong credential. And
// one tool of each class goes through random schedules of broken connections
// and dying workers, by the agent's own loop. It has tests alone, but for
// [Steps], by which other tests play the dialogues through the real roles, and
// [Subjects], whose calls real workers are killed over in internal/chaos.
//
// A dialogue is a text of blocks, in the order in which a customer would call:
//
//	call create_payment {"customer":"${customer}","value":19.90}   tool and arguments
//	sends POST /payments                                           method and path
//	query limit=3&created[gte]=1                                   query, form or json: what is sent,
//	json {"customer":"${customer}","value":19.90}                  numbers as they are written
//	effects payment.created                                        what the journal gains, nothing when absent
//	save payment /id                                               a part of the answer, for ${payment}
//	meanwhile POST /sandbox/payment/${payment}/confirm             what somebody else asks for just before
//	keep lot /id                                                   a part of what that was answered
//
// A line "advance 25h" before a call moves the clock.
//
// ${key} is the call's own key against doubles. A line that begins with a
// space goes on with the line before it.
package providertest
