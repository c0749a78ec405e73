// Package turns is the worker: it takes granted runs and brings each to its
// end through the agent loop.
//
// It owns the steps of a run, from reading the request to its ending, the
// journal that writes into the session's log behind the fence, and the
// refusals of requests that cannot be run. It promises that every request it
// is handed ends in exactly one turn.completed, that nothing is written for a
// run which another worker has taken over, and that a run given back at a stop
// goes on elsewhere from its last fact.
//
//	run ──► read request ──► fold session ──► turn.started ──► agent loop ──► turn.completed
//	             │ gone: done      │ ended: done                  │ stopped: release
//	             └ unfit: refuse (dead letter, turn.completed rejected)
//
// Beside the worker stand those who end a request without running it: the
// [Ender], for what has not started, and the [Canceller], which orders the
// worker of what has. Between them and a worker the fence decides, so anybody
// who may write into the log may have one.
//
// It does not decide what runs next, a worker removes no request (whoever hands
// it a run does, once it is served), and it keeps nothing that the log does
// not hold: its cache of folded sessions is only a saving, and the fence makes
// a stale entry harmless.
package turns
