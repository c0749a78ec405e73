// Package dialogue shows the gateway by its HTTP: scripts of requests and
// answers, byte for byte in what clients read, told to a whole Feira that runs
// in the test's process; and beside them the walls, the limits and the flows that
// a script cannot hold.
//
// It is compiled for tests alone, and knows of the gateway what a client knows.
// What of an answer is drawn at random, names, times and durations, has a name in
// a script, which is the same thing wherever it stands.
package dialogue
