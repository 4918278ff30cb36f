package watch

import (
	"fmt"
	"sync"
	"time"
)

// turns remembers when each host was last asked.
type turns struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func newTurns() *turns { return &turns{last: map[string]time.Time{}} }

// take gives a host its turn, or says when that will be.
func (t *turns) take(host string, asked, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for other, at := range t.last {
		if !now.Before(at.Add(Every)) {
			delete(t.last, other)
		}
	}
	if at, ok := t.last[host]; ok && at.After(asked) {
		asked = at
	}
	if next := asked.Add(Every); now.Before(next) {
		return &turnError{host, next}
	}
	t.last[host] = now
	return nil
}

// turnError says that a host was asked not long ago.
type turnError struct {
	host string
	next time.Time
}

func (e *turnError) Error() string {
	return fmt.Sprintf("watch: %s is not asked before %s", e.host, e.next)
}
