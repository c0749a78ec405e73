package trigger

import "time"

// nowhere is the place of a lane that is in no heap.
const nowhere = -1

// lanes is a heap of lanes by when they are due.
type lanes []*lane

func (h lanes) Len() int           { return len(h) }
func (h lanes) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h lanes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *lanes) Push(x any) {
	pushed := x.(*lane)
	pushed.place = len(*h)
	*h = append(*h, pushed)
}

func (h *lanes) Pop() any {
	old := *h
	last := old[len(old)-1]
	last.place = nowhere
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}

// wake is a time at which a line may have something to say. Where it is not the
// line's own any more, a wake too many costs a look.
type wake struct {
	at   time.Time
	line *line
}

type wakes []wake

func (h wakes) Len() int           { return len(h) }
func (h wakes) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h wakes) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *wakes) Push(x any)        { *h = append(*h, x.(wake)) }
func (h *wakes) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// ring is a queue of lines, each of which goes behind the others when it has had
// its turn.
type ring struct {
	lines []*line
	first int
}

func (r *ring) push(l *line) { r.lines = append(r.lines, l) }

func (r *ring) pop() *line {
	if r.first == len(r.lines) {
		r.lines, r.first = r.lines[:0], 0
		return nil
	}
	l := r.lines[r.first]
	r.lines[r.first] = nil
	if r.first++; r.first > 1024 && r.first > len(r.lines)/2 {
		r.lines, r.first = append(r.lines[:0], r.lines[r.first:]...), 0
	}
	return l
}
