// Package testenv is what tests run against: real NATS servers, a real Postgres, and the real
// binary as a child process.
//
// It owns one NATS server for each test binary, walled into accounts so that
// tests which use the same stream names run side by side ([NATS]); servers that
// a test may stop and start ([Restartable], [Cluster]); one Postgres server with
// a database for each test that asks ([Postgres]); and children that it
// may kill and freeze ([Process]).
//
// It promises that whatever it hands to a test is gone or empty when that test
// has ended, that nothing waits by sleeping, and that a dependency which is
// missing is a failure where CI is set ([Require]). It is never part of the
// binary. It imports no adapter but natsd and pgd.
//
// Where [ArtifactsVariable] names a folder, what tests write stays there
// instead, for somebody to look through.
package testenv
