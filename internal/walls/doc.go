// Package walls holds the table of attempts to get through a wall, each with
// the refusal that it meets: another tenant's server, session, credential,
// environment or host, arguments and answers made to do harm, names that mean
// what is not public, and the broker's and the vault's own walls.
//
// Most attempts are requests of a session, made by the agent's loop through the
// providers' client, as a worker makes them; some are held against one wall
// alone, as if the one before it had let them pass. It has tests alone:
//
//	go test -run TestWalls -v ./internal/walls
//
// prints the whole table.
package walls
