package model

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Conversation is how often one list of messages came.
type Conversation struct {
	// Hash names it; it follows from the messages alone.
	Hash string `json:"hash"`
	// Messages is its length.
	Messages int `json:"messages"`
	// Asked counts the requests, Answered those to which a reply was made.
	// Beyond one, somebody bought the same reply again.
	Asked    int `json:"asked"`
	Answered int `json:"answered"`
}

// counts is safe for concurrent use.
type counts struct {
	mu     sync.Mutex
	byHash map[string]Conversation
}

func (c *counts) add(hash string, messages, asked, answered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.byHash[hash]
	one.Hash, one.Messages = hash, messages
	one.Asked += asked
	one.Answered += answered
	c.byHash[hash] = one
}

// Conversations lists how often each conversation came, by hash.
func (s *Server) Conversations() []Conversation {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.counts.byHash), func(a, b Conversation) int { return strings.Compare(a.Hash, b.Hash) })
}

// Answered is how many replies were made in all.
func (s *Server) Answered() int {
	total := 0
	for _, one := range s.Conversations() {
		total += one.Answered
	}
	return total
}

// BoughtTwice lists the conversations that were answered more than once.
func (s *Server) BoughtTwice() []Conversation {
	return slices.DeleteFunc(s.Conversations(), func(one Conversation) bool { return one.Answered < 2 })
}
