package oracle

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Clock is the one clock of a world: real time, and leaps, by which months pass in
// seconds. It lies in a file, from which the process of the escrow reads it. Timers that
// are already set do not see a leap.
type Clock struct {
	ahead atomic.Int64
	file  *os.File
}

// newClock is a clock that other processes read from a file.
func newClock(path string) (*Clock, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("oracle: make the clock: %w", err)
	}
	c := &Clock{file: file}
	return c, c.Leap(0)
}

// Now is the moment in the world.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())).UTC() }

// Leap lets d pass at once.
func (c *Clock) Leap(d time.Duration) error {
	var ahead [8]byte
	binary.BigEndian.PutUint64(ahead[:], uint64(c.ahead.Add(int64(d))))
	if _, err := c.file.WriteAt(ahead[:], 0); err != nil {
		return fmt.Errorf("oracle: move the clock: %w", err)
	}
	return nil
}

func (c *Clock) close() error { return c.file.Close() }

// followClock reads the clock of a world from another process.
func followClock(path string) (func() time.Time, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("oracle: find the clock: %w", err)
	}
	return func() time.Time {
		var ahead [8]byte
		if _, err := file.ReadAt(ahead[:], 0); err != nil {
			panic(fmt.Errorf("oracle: read the clock: %w", err)) // nobody can know what time it is
		}
		return time.Now().Add(time.Duration(binary.BigEndian.Uint64(ahead[:]))).UTC()
	}, nil
}
