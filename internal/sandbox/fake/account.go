package fake

import (
	"strconv"
	"sync"
)

// Account is one customer's account at a provider, with a state of its own.
type Account[S any] struct {
	// Tenant labels it in the journal.
	Tenant string
	// Fields are its credential.
	Fields map[string]string

	mu       sync.Mutex // held for the whole of a call
	state    *S
	counters map[string]int // how many ids of each kind were given out
}

// next counts the ids of a kind from 1.
func (a *Account[S]) next(kind string) string {
	a.counters[kind]++
	return strconv.Itoa(a.counters[kind])
}
