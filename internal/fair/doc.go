// Package fair answers one question: which queued request starts next.
//
// It owns the order of the whole pool: the caps and rates of tenants, the
// turn of each session, the fair share of tenants, the priority inside a
// tenant, the requests that may not start yet, and the reason why each one waits.
//
// # What it promises
//
//   - At most SetSlots runs go at one time, and of a tenant at most its
//     Concurrency. A cap that is lowered below what runs stops new starts and
//     nothing else.
//   - In any stretch of time a tenant starts at most its burst and what its rate
//     brings in it, runs that were given back not counted. Requests above the
//     rate wait, and Wake tells when the next may start (see rate.go).
//   - Expired finds every queued request whose time is over, also one that a
//     cap, a pause or its session holds; what runs does not expire.
//   - A tenant with a Backlog queues no more than that of new requests.
//   - One turn of a session runs at a time, and the turns of a session start in
//     the order of their sequences. Calls take no session turn.
//   - It is work conserving: while a slot is free and some request may start,
//     Next returns one.
//   - Between tenants, the one with the least service for its weight goes
//     first; service is slot time, and running time counts while it runs. It is
//     counted per tenant, so sessions, requests and priorities buy nothing.
//   - A tenant that comes back from idleness starts level with the tenant that
//     would go next, but with nothing in flight, and so goes before it. One that was held by a cap, its
//     rate, a pause or a busy session comes back at most a bounded grace below. Neither
//     hoards credit, and nothing ever lowers a tenant's service, so emptying its
//     queue wipes out no debt.
//   - Equal histories make equal choices.
//
// The rules of eligibility stand in eligibility.go, a function each; the order
// of tenants in service.go and contest.go, with the reasons for its form.
//
// # What it costs
//
// Operations are O(log n), with these exceptions. A turn pushed out of stream
// order walks past the later turns of its session. Such a request, and one that
// is returned, walks past those of its tenant that are queued on the nearer
// side of its place. Reason walks its tenant's queue to count the place, Line
// to find the first ones, but never past what it may look at. Survey takes what
// it is told to. DropTenant empties its tenant's queue. Time moving
// on costs nothing by itself: what has grown stale is looked at when it comes
// first (see contest.go), so n unlike standings cost what they would in a heap.
//
// A queued request with a session of its own takes less than 200 bytes, one of
// a busy session half of that, one that expires 24 more; an idle tenant less
// than 300; a session with nothing queued or running takes none.
//
// # What it does not do
//
// It keeps no clock, does no I/O, takes no lock and starts no goroutine: time
// comes in as an argument, and a [Queue] belongs to one goroutine or to its
// caller's lock. It refuses nobody for being over budget: that rule has its
// place in eligibility.go and is not built yet.
package fair
