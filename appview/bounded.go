package appview

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// bounded keeps the values that were used last, as many as fit into a number of
// bytes. It may be used by many goroutines.
type bounded[K comparable, V any] struct {
	most int // bytes of all
	size func(K, V) int

	mu    sync.Mutex
	lru   *simplelru.LRU[K, V]
	bytes int
}

func newBounded[K comparable, V any](most int, size func(K, V) int) *bounded[K, V] {
	b := &bounded[K, V]{most: most, size: size}
	// The bytes bound it, not the count.
	lru, err := simplelru.NewLRU(math.MaxInt, func(k K, v V) { b.bytes -= size(k, v) })
	if err != nil {
		panic(err) // only for a count below one
	}
	b.lru = lru
	return b
}

func (b *bounded[K, V]) get(k K) (V, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lru.Get(k)
}

func (b *bounded[K, V]) put(k K, v V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lru.Remove(k) // which takes its size off
	b.lru.Add(k, v)
	for b.bytes += b.size(k, v); b.bytes > b.most; {
		b.lru.RemoveOldest()
	}
}

func (b *bounded[K, V]) held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}
