// Command server is a NATS server for the tests of natsd: it says where it
// listens and serves until it is killed.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/feira-dev/feira/internal/natsd"
)

func main() {
	server, err := natsd.New(natsd.Config{Dir: os.Args[1], SyncAlways: true})
	if err == nil {
		err = server.Start(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, "listening on", server.ClientURL())
	<-server.Done()
}
