package metering

import (
	"runtime"
	"sync"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// readAlone is how many messages are read in one go: reading fewer by several
// is not worth their start.
const readAlone = 128

// readAll is [usage.ReadBatch] on every core. Reading costs a third of what booking
// does, and a transaction can wait for it no better than for a disk.
func readAll(messages []events.Message) usage.Batch {
	parts := min(runtime.GOMAXPROCS(0), len(messages)/readAlone)
	if parts < 2 {
		return usage.ReadBatch(messages)
	}
	batches := make([]usage.Batch, parts)
	var readers sync.WaitGroup
	for i := range parts {
		from, to := len(messages)*i/parts, len(messages)*(i+1)/parts
		readers.Go(func() { batches[i] = usage.ReadBatch(messages[from:to]) })
	}
	readers.Wait()
	whole := batches[0]
	for _, next := range batches[1:] {
		whole = whole.Join(next)
	}
	return whole
}
