// Package ordeal makes a tool call go through all that can happen to it: requests
// that are cut before or after their effect, faults of the provider, and workers
// that die over it. It is for tests alone.
//
// It owns the fates, the front before a fake that deals them out, and the diary,
// a session's log in which a dead worker writes no more. It promises that a
// request meets its fate exactly once, and that what a killed worker did not
// write is not in the diary. It judges nothing: who sends a call through it holds
// the fake's journal against the diary.
package ordeal
