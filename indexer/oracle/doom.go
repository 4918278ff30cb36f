package oracle

import (
	"errors"
	"sync"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// errDied is how a process that was killed ends.
var errDied = errors.New("oracle: the process was killed")

// doom kills a process at a point. Once dead it passes no point any more,
// whichever of its goroutines comes there: nothing is committed after a death.
type doom struct {
	mu   sync.Mutex
	at   crashpoint.Point // empty: it lives
	left int              // passes until it dies
	dead bool
}

// arm lets the process die when it passes the point for the n-th time from now.
func (d *doom) arm(p crashpoint.Point, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dead {
		d.at, d.left = p, n
	}
}

func (d *doom) revive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.dead = "", false
}

// spare lets a process that lives go on, and reports whether it did not live any
// more.
func (d *doom) spare() (died bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dead {
		d.at = ""
	}
	return d.dead
}

// point is where the process died.
func (d *doom) point() crashpoint.Point {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *doom) pass(p crashpoint.Point) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dead && p == d.at {
		d.left--
		d.dead = d.left <= 0
	}
	if d.dead {
		return errDied
	}
	return nil
}

var _ crashpoint.Hook = new(doom).pass
