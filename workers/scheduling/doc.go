// Package scheduling is the scheduler: it turns requests into runs, one leader
// at a time.
//
// It owns the leader's work: keeping the index of waiting requests, granting
// the next one by internal/fair while slots are free, and keeping its picture
// of RUNS true. It promises that grants never exceed the live slots or a
// tenant's cap, that each grant carries the sequence that the leader last knew
// of RUNS, and each leadership begins by moving that on past whatever an earlier
// one may expect, so that the broker refuses a deposed leader's, that a run whose
// ending was never told is noticed within a second, and that a standby takes
// over without reading the queue again (see standby.go).
//
//	indexing ──caught up──► standby ──lease──► settling ──RUNS is read──► granting
//	                           ▲                  ▲     a grant was refused ┘ │
//	                           └──── lost lease ──┴───────────────────────────┘
//
// The leader, and nobody else, answers questions about its queue (status.go).
// Looking at all tenants is done in small steps between other work, so that
// no question and no metric holds a grant up.
//
// What has expired, and what comes above its tenant's backlog, it has ended
// without a run, whatever cap or pause holds the tenant (see ending.go).
//
// It does not read bodies, judge requests or run anything: what is unfit is
// granted like any other and refused aloud by the worker, under the same caps.
package scheduling
