package bounded

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Cache keeps values by keys.
type Cache[K comparable, V any] struct {
	most int // bytes of all
	size func(K, V) int

	mu    sync.Mutex
	lru   *simplelru.LRU[K, V]
	bytes int
}

// New returns a cache of at most so many bytes. size has to say the same of a value as
// long as it is kept.
func New[K comparable, V any](most int, size func(K, V) int) *Cache[K, V] {
	c := &Cache[K, V]{most: most, size: size}
	// The bytes bound it, not the count.
	lru, err := simplelru.NewLRU(math.MaxInt, func(k K, v V) { c.bytes -= size(k, v) })
	if err != nil {
		panic(err) // only for a count below one
	}
	c.lru = lru
	return c
}

// Get returns the value of a key, if it is kept.
func (c *Cache[K, V]) Get(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.Get(k)
}

// Put keeps a value, in place of the key's last one.
func (c *Cache[K, V]) Put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(k) // which takes its size off
	c.lru.Add(k, v)
	for c.bytes += c.size(k, v); c.bytes > c.most; {
		c.lru.RemoveOldest()
	}
}

// Bytes is the size of all that is kept.
func (c *Cache[K, V]) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}
