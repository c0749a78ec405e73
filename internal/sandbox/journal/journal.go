// Package journal is the sandbox's book of effects: one line for everything
// that would have cost money, moved goods or reached a person.
//
// It promises that a line is there as soon as the effect is, whatever becomes
// of the answer, and that lines are never changed. Reads leave no line. It
// keeps everything in memory for as long as the sandbox lives.
package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// Entry is one effect.
type Entry struct {
	// Sequence counts the lines from 1.
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
	Server   string    `json:"server"`
	// Account is the tenant label of the account in which it happened.
	Account string `json:"account"`
	// Effect is what happened, such as "payment.created" or "message.sent".
	Effect string `json:"effect"`
	// Object is the provider's id of what was made or changed.
	Object string `json:"object"`
	// Key is the idempotency key that came with the request, if any, whether
	// the provider honours it or not.
	Key string `json:"key,omitempty"`
	// Reference is the caller's own id of the object, if it gave one.
	Reference string `json:"reference,omitempty"`
	// BodyHash is the SHA-256 of the request's body in hex.
	BodyHash string `json:"body_hash"`
}

// Filter picks entries; an empty field picks all.
type Filter struct{ Server, Account, Effect, Object, Key, Reference string }

// Journal is the book. It is safe for concurrent use.
type Journal struct {
	mu      sync.RWMutex
	entries []Entry
}

// New returns an empty book.
func New() *Journal { return &Journal{} }

// Append writes a line, and numbers it.
func (j *Journal) Append(entry Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Sequence = uint64(len(j.entries)) + 1
	j.entries = append(j.entries, entry)
}

// Entries returns the lines that the filter picks, oldest first.
func (j *Journal) Entries(filter Filter) []Entry {
	j.mu.RLock()
	defer j.mu.RUnlock()
	picked := []Entry{}
	for _, entry := range j.entries {
		if filter.picks(entry) {
			picked = append(picked, entry)
		}
	}
	return picked
}

// Count is how many lines the filter picks.
func (j *Journal) Count(filter Filter) int { return len(j.Entries(filter)) }

// HashBody is the form in which an entry keeps a request's body.
func HashBody(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func (f Filter) picks(entry Entry) bool {
	agree := func(want, have string) bool { return want == "" || want == have }
	return agree(f.Server, entry.Server) && agree(f.Account, entry.Account) && agree(f.Effect, entry.Effect) &&
		agree(f.Object, entry.Object) && agree(f.Key, entry.Key) && agree(f.Reference, entry.Reference)
}
