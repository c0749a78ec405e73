package testenv

import "go.uber.org/goleak"

// ServerGoroutines has goleak pass over the goroutines of NATS servers. It is
// for tests that look for leaks while the shared server runs: the server keeps
// a consumer for some seconds after its client has gone.
func ServerGoroutines() []goleak.Option {
	const server = "github.com/nats-io/nats-server/v2/server."
	functions := []string{
		"(*Server).startGoRoutine.func1",
		"(*stream).internalLoop", "(*stream).signalConsumersLoop",
		"(*consumer).loopAndGatherMsgs", "(*consumer).processInboundAcks", "(*consumer).deleteNotActive",
		"(*fileStore).flushStreamStateLoop", "(*msgBlock).flushLoop", "(*consumerFileStore).flushLoop",
	}
	options := make([]goleak.Option, len(functions))
	for i, function := range functions {
		options[i] = goleak.IgnoreAnyFunction(server + function)
	}
	return options
}
