// Package deployment reads what stands in deployments/ and finds what cannot
// work: a role that does not exist, a setting that nobody reads, a broker that
// does not know its peers, a secret in a file that is committed.
//
// It owns those rules alone. It promises that each fires on a planted fault. It
// runs no container: no engine is needed to see that a file is wrong, and one
// that passes here has still to be brought up once by hand.
package deployment
