// Package pgd is a Postgres server of a process's own, from the binaries that
// the machine has: for tests and for measuring, never for what must last.
//
// It owns the search for the binaries, a temporary cluster, its server process
// and its databases. A [Server] listens on a Unix socket in its own folder
// alone, syncs as a production server does where it is not told otherwise, and
// runs as another user where the caller is root, because Postgres refuses root.
//
// It promises that a server which has started accepts connections, that each
// [Server.Database] is new and owned by a role that row-level security binds,
// and that nothing is left of a stopped one. It installs nothing and keeps no
// data.
package pgd
