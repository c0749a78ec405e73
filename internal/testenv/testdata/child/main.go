// Command child is a program for the tests of testenv: it says that it is
// ready, and goes on until it is interrupted.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	fmt.Fprintln(os.Stdout, "ready with", os.Args[1:], os.Getenv("CHILD_VARIABLE"))
	for got := range signals {
		fmt.Fprintln(os.Stderr, "got", got)
		switch got {
		case syscall.SIGINT:
			os.Exit(3)
		case syscall.SIGTERM:
			os.Exit(0)
		}
	}
}
