// Command feira runs one commerce agent per customer of a SaaS: the broker's
// streams in, the agents' turns, the customers' bills out.
//
// It owns the command line: names, flags, what is printed and the exit code.
// It promises that data goes to standard output, as JSON alone with --json,
// and everything else to standard error. What the commands do is in
// internal/app.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// collectAt is by how many per cent the heap may grow before it is collected.
// What a role holds is little beside what passes through it, so this buys a
// tenth of its time and steadier waits for some tens of megabytes. GOGC and
// GOMEMLIMIT of the environment go before it.
const collectAt = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	// The first signal asks for a soft stop; after it the default is restored,
	// so that a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
