package atmosphere

import (
	"io"
	"strings"
	"sync"
)

const tailSize = 4 << 10

// tail passes on what a child process writes and keeps the end of it, which is
// where a process that fails says why.
type tail struct {
	to io.Writer

	mu  sync.Mutex
	end []byte
}

func newTail(to io.Writer) *tail { return &tail{to: to} }

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if len(t.end) > tailSize {
		t.end = append([]byte(nil), t.end[len(t.end)-tailSize:]...)
	}
	return t.to.Write(p)
}

// quote returns the end for an error message: ": it said", or nothing.
func (t *tail) quote() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := strings.TrimSpace(string(t.end)); s != "" {
		return ": " + s
	}
	return ""
}
