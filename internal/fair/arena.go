package fair

const (
	pageBits = 10
	pageSize = 1 << pageBits
	// none is the handle of nothing.
	none int32 = -1
)

// arena hands out records by handle. Handles are half the size of pointers and
// nothing for the garbage collector to follow; pages never move, so growing
// copies nothing and a pointer from at stays good while its record is live.
type arena[T any] struct {
	pages []*[pageSize]T
	free  []int32
	taken int32 // handles ever handed out
}

func (a *arena[T]) at(handle int32) *T {
	return &a.pages[handle>>pageBits][handle&(pageSize-1)]
}

func (a *arena[T]) take() int32 {
	if last := len(a.free) - 1; last >= 0 {
		handle := a.free[last]
		a.free = a.free[:last]
		return handle
	}
	if int(a.taken) == len(a.pages)*pageSize {
		a.pages = append(a.pages, new([pageSize]T))
	}
	a.taken++
	return a.taken - 1
}

// give takes a record back and wipes it, so that it holds on to nothing.
func (a *arena[T]) give(handle int32) {
	var zero T
	*a.at(handle) = zero
	a.free = append(a.free, handle)
}
