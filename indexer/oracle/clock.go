package oracle

import (
	"sync/atomic"
	"time"
)

// Clock is the one clock of a world: real time, and leaps. A leap is how a day
// passes in a run that lasts a second; timers that are already set do not see
// it, a process that starts afterwards does.
type Clock struct{ ahead atomic.Int64 }

// Now is the moment in the world.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())).UTC() }

// Leap lets d pass at once.
func (c *Clock) Leap(d time.Duration) { c.ahead.Add(int64(d)) }
