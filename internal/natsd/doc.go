// Package natsd is the NATS server inside a Feira process.
//
// It owns the embedded server's options, its data directory and its users. A
// [Server] is one server as a [lifecycle.Part]; a [Cluster] is several in one
// process, joined as a JetStream cluster.
//
// It promises that a server which has started answers JetStream requests, that
// a stopped one has let go of every file, goroutine and port, that the next one
// on the same directory finds all that was stored, and that two servers never
// write to one directory. A tenant's user reaches that tenant's own requests
// and feed and nothing else, whatever subjects, replies or API calls its client
// makes up; see [TenantUser] for how.
//
// It makes no streams or buckets, knows no signals, and speaks no TLS: what is
// reached from outside of a trusted network wants a NATS server of its own.
package natsd
