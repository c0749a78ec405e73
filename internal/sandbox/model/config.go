package model

import "time"

// Name is the only model there is.
const Name = "feira-offline"

// Prefix is the path of the API.
const Prefix = "/v1"

// defaultContext is the longest conversation, in tokens.
const defaultContext = 128_000

// Config makes a model.
type Config struct {
	// Key is the only key that is taken. Empty takes any key, but not none.
	Key string
	// Latency is the pause before an answer. Defaults to none.
	Latency time.Duration
	// ChunkDelay is the pause between two chunks of a stream. Defaults to none.
	ChunkDelay time.Duration
	// Context is the longest conversation that is taken, in tokens. Defaults to
	// 128 000.
	Context int64
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Context == 0 {
		c.Context = defaultContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
