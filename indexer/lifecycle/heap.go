package lifecycle

import "container/heap"

// lazyHeap keeps what holds at some moment, the foremost on top. What holds no
// longer leaves only when it comes to the top.
type lazyHeap[T any] struct{ items heapItems[T] }

func newHeap[T any](before func(a, b T) bool) *lazyHeap[T] {
	return &lazyHeap[T]{heapItems[T]{before: before}}
}

func (h *lazyHeap[T]) push(v T) { heap.Push(&h.items, v) }

// top returns the foremost that holds, and forgets those before it that do not.
func (h *lazyHeap[T]) top(holds func(T) bool) (v T, ok bool) {
	for h.items.Len() > 0 {
		if v := h.items.list[0]; holds(v) {
			return v, true
		}
		heap.Pop(&h.items)
	}
	return v, false
}

type heapItems[T any] struct {
	list   []T
	before func(a, b T) bool
}

func (h *heapItems[T]) Len() int           { return len(h.list) }
func (h *heapItems[T]) Less(i, j int) bool { return h.before(h.list[i], h.list[j]) }
func (h *heapItems[T]) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *heapItems[T]) Push(v any)         { h.list = append(h.list, v.(T)) }

func (h *heapItems[T]) Pop() any {
	last := len(h.list) - 1
	v := h.list[last]
	h.list = h.list[:last]
	return v
}
