package fair_test

import (
	"testing"

	"pgregory.net/rapid"
)

func TestQueueDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") })
		if rapid.Bool().Draw(t, "collide") {
			p.queue.Collide()
		}
		p.model.slots = 8
		p.queue.SetSlots(8)
		for range 4 {
			p.setTenant()
		}
		t.Repeat(map[string]func(*rapid.T){
			"act": func(*rapid.T) {
				for range 5 {
					p.act(p.pick(operations))
				}
			},
		})
	})
}

// FuzzQueue reads operations and their choices from bytes.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{11, 0, 3, 0, 1, 0, 0, 0, 0, 1, 2, 0, 4, 1, 30, 0, 7, 0, 1, 5, 1})
	f.Add([]byte("feira: many stalls, one street, and everybody gets served in turn"))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 400 {
			script = script[:400]
		}
		p := newPair(t, func(n int) int {
			if len(script) == 0 {
				return 0
			}
			choice := int(script[0]) % n
			script = script[1:]
			return choice
		})
		p.model.slots = 8
		p.queue.SetSlots(8)
		for range 3 {
			p.setTenant()
		}
		for len(script) > 0 {
			p.act(p.pick(operations))
		}
		p.drain()
		p.check()
	})
}
