// Package waits lets clients wait for what happens in a session, without a
// consumer for each of them at the broker.
//
// It owns the [Hub], which has one subscription to the feed for each session
// that somebody waits for, and its [Reader]s:
//
//	feed ──► topic ──► reader: pending ──► Next
//	            │                ▲
//	            └─ looks ──► log ┘  whatever the feed did not tell
//
// Each record of the feed names the session's record before it. One that does
// not follow on what a reader has seen makes that reader go on from the log,
// and so does what exceeds a slow reader's room. A loss that no later record shows
// is found by looking at the end of the log every few seconds.
//
// It promises that a reader gets every record of its session behind where it
// began, each once and in order, for as long as it reads, whatever the feed
// loses, repeats or holds back, and across an absence of the broker; that a slow
// reader holds up nobody; and that nothing is left of a reader that is closed.
// Text of the model as it arrives is offered beside the records, with gaps.
//
// A [Turn] is a reader of one request's records, and folds them into an
// [Outcome].
//
// It does not publish requests, speak HTTP or decide who may read what.
package waits
