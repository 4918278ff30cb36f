package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// Checkpoints copies the log of a database into it while somebody else writes,
// who would otherwise wait for the disk in the middle of a commit. Writers never
// wait for it, and it does not wait for them: what is written meanwhile is copied
// the next time. So the log can only begin anew when the writer rests, or copies
// what little is left itself, as its own bound on the log (wal_autocheckpoint)
// makes it do.
type Checkpoints struct {
	db    *sql.DB
	due   chan struct{}
	ended chan struct{}

	mu  sync.Mutex
	err error // guarded by mu
}

// StartCheckpoints opens a connection of its own to the database at path. It works
// until Close.
func StartCheckpoints(path string) (*Checkpoints, error) {
	db, err := Open(path, nil)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	c := &Checkpoints{db: db, due: make(chan struct{}, 1), ended: make(chan struct{})}
	go c.run()
	return c, nil
}

// Due asks for a checkpoint, and returns at once. Its error is that of an earlier
// one: the disk does not take what it should.
func (c *Checkpoints) Due() error {
	select {
	case c.due <- struct{}{}:
	default: // one is asked for already
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Checkpoints) run() {
	defer close(c.ended)
	for range c.due {
		if _, err := c.db.ExecContext(context.Background(), `PRAGMA wal_checkpoint(PASSIVE)`); err != nil {
			c.mu.Lock()
			c.err = fmt.Errorf("sqlite: copy the log into the database: %w", err)
			c.mu.Unlock()
		}
	}
}

// Close ends it. Nobody may ask for a checkpoint any more.
func (c *Checkpoints) Close() error {
	close(c.due)
	<-c.ended
	return c.db.Close()
}
