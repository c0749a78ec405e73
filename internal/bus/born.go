package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// Born is when the stream of sessions was made. Its places are told from those
// of a stream of the same name that was there before by that alone.
func (l *Log) Born(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, l.bus.config.Timeout)
	defer cancel()
	stream, err := l.bus.js.Stream(ctx, events.StreamSessions)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking when stream %s was made: %w", events.StreamSessions, err)
	}
	return stream.CachedInfo().Created.UTC(), nil
}
