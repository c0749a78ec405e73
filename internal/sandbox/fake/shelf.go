package fake

import "slices"

// Shelf keeps things by id, in the order in which they came.
type Shelf[T any] struct {
	byID map[string]T
	ids  []string
}

// Put adds a thing, or puts it in the place of the one with its id.
func (s *Shelf[T]) Put(id string, thing T) {
	if s.byID == nil {
		s.byID = map[string]T{}
	}
	if _, there := s.byID[id]; !there {
		s.ids = append(s.ids, id)
	}
	s.byID[id] = thing
}

// Find returns the thing with an id.
func (s *Shelf[T]) Find(id string) (T, bool) {
	thing, ok := s.byID[id]
	return thing, ok
}

// Drop takes a thing away.
func (s *Shelf[T]) Drop(id string) {
	delete(s.byID, id)
	s.ids = slices.DeleteFunc(s.ids, func(other string) bool { return other == id })
}

// Newest returns those that keep holds of, newest first.
func (s *Shelf[T]) Newest(keep func(T) bool) []T {
	kept := []T{}
	for _, id := range slices.Backward(s.ids) {
		if thing := s.byID[id]; keep(thing) {
			kept = append(kept, thing)
		}
	}
	return kept
}
