// Package triggers tells tenants of what their agents did.
//
// It owns two things. [Fan] turns facts of SESSIONS into deliveries on TRIGGERS,
// one for each trigger that hears of the fact. [Courier] makes the deliveries.
// Each is done by one process at a time by a lease, the others standing by.
//
//	SESSIONS ──batch──► Fan ──► TRIGGERS ──► Courier ──POST──► the tenant's endpoint
//	                                            ├──► DELIVERIES  what came of each attempt
//	                                            └──► DEAD        what was given up
//
// It promises that a fact which is stored is told at least once, under one
// webhook-id however often, or lies in DEAD with the reason; that events about
// one object arrive in order; that a tenant's endpoint which is down or slow
// delays that tenant's deliveries alone; and that a process which is killed at
// any point costs no more than a repeated attempt.
//
// There is one reader for all triggers and no state beside the streams but its
// place in SESSIONS: what waits in TRIGGERS is all that is still to be told, and
// the times of repeated attempts follow from when each was stored. Who has no
// trigger costs the reading of headers.
//
// It does not decide what is told, or when: package trigger does. It does not
// guard the addresses that it dials; whoever makes its [http.RoundTripper] does.
package triggers
