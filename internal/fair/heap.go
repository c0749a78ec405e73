package fair

// order is how a heap sorts its elements and tells them where they are.
type order[T any] interface {
	// before reports whether a leaves the heap before b; no two are equal.
	before(a, b T) bool
	// moved says that x now stands at this place of the heap.
	moved(x T, place int)
}

// roomy is the capacity that an emptied heap may keep: a tenant with nothing
// ready must not pay for its last flood.
const roomy = 16

// arity is how many children an element has. Four make half the levels of two,
// and it is the telling of places, a cache miss a level, that costs.
const arity = 4

// heap is a heap whose elements know their places, so that any of them can be
// moved or removed. The order comes with each call: stored, it would
// cost every idle tenant two words.
type heap[T any] struct {
	list []T
}

func (h *heap[T]) len() int { return len(h.list) }

// top is the element that goes first; the heap must not be empty.
func (h *heap[T]) top() T { return h.list[0] }

func (h *heap[T]) push(o order[T], x T) {
	h.list = append(h.list, x)
	h.up(o, len(h.list)-1)
}

func (h *heap[T]) remove(o order[T], place int) {
	last := len(h.list) - 1
	moved := h.list[last]
	var zero T
	h.list[last] = zero
	h.list = h.list[:last]
	if place < last {
		h.list[place] = moved
		h.fix(o, place)
	}
	if last == 0 && cap(h.list) > roomy {
		h.list = nil
	}
}

// fix puts the element at place where it belongs after its key has changed.
func (h *heap[T]) fix(o order[T], place int) {
	if !h.down(o, place) {
		h.up(o, place)
	}
}

func (h *heap[T]) up(o order[T], place int) {
	x := h.list[place]
	for place > 0 {
		parent := (place - 1) / arity
		if !o.before(x, h.list[parent]) {
			break
		}
		h.set(o, place, h.list[parent])
		place = parent
	}
	h.set(o, place, x)
}

// down reports whether the element moved.
func (h *heap[T]) down(o order[T], place int) bool {
	x, start := h.list[place], place
	for {
		child := arity*place + 1
		if child >= len(h.list) {
			break
		}
		for other := child + 1; other < min(arity*(place+1)+1, len(h.list)); other++ {
			if o.before(h.list[other], h.list[child]) {
				child = other
			}
		}
		if !o.before(h.list[child], x) {
			break
		}
		h.set(o, place, h.list[child])
		place = child
	}
	if place == start {
		return false
	}
	h.set(o, place, x)
	return true
}

func (h *heap[T]) set(o order[T], place int, x T) {
	h.list[place] = x
	o.moved(x, place)
}
