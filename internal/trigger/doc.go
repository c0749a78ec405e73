// Package trigger is what a tenant hears of its agents' doings: which facts, in
// which words, signed how, and when it is told again.
//
// It owns the configuration of a trigger, the normalised events that facts of
// the session log become, their signatures, the times of repeated attempts, and
// [Queue], which decides what is told next.
//
// It promises that events about one object are told to a trigger in the order
// of their facts and one at a time; that a trigger whose endpoint is down keeps
// few slots, one of them a minute, and none that another tenant waits for; that
// the same fact has the same webhook-id for ever; and that nothing is given up
// before it was tried, unless the endpoint has been down or the trigger paused
// for as long as deliveries are kept.
//
// It sends nothing, keeps nothing and has no clock: time comes in as an
// argument.
package trigger
