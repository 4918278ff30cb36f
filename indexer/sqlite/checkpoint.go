package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// Checkpoints copies the log of a database into it while somebody else writes,
// who would otherwise wait for the disk in the middle of a commit. What is written
// meanwhile is left, and while anything is left the log cannot begin anew: so from
// a long log that little is copied as well, while the writer rests. How long a log
// is at most its writer decides (wal_autocheckpoint), by waiting in a commit.
type Checkpoints struct {
	db     *sql.DB
	writer sync.Locker
	long   int
	due    chan struct{}
	ended  chan struct{}

	mu  sync.Mutex
	err error // guarded by mu
}

// StartCheckpoints opens a connection of its own to the database at path. It works
// until Close. Nobody writes to the database while writer is locked; a log is long
// from so many pages on.
func StartCheckpoints(path string, writer sync.Locker, long int) (*Checkpoints, error) {
	db, err := Open(path, nil)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	c := &Checkpoints{db: db, writer: writer, long: long, due: make(chan struct{}, 1), ended: make(chan struct{})}
	go c.run()
	return c, nil
}

// Due asks for a checkpoint, and returns at once; whoever locked the writer may
// call it. Its error is that of an earlier
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
		if err := c.copyLog(); err != nil {
			c.mu.Lock()
			c.err = fmt.Errorf("sqlite: copy the log into the database: %w", err)
			c.mu.Unlock()
		}
	}
}

func (c *Checkpoints) copyLog() error {
	pages, err := c.checkpoint()
	if err != nil || pages < c.long {
		return err
	}
	c.writer.Lock()
	defer c.writer.Unlock()
	_, err = c.checkpoint()
	return err
}

// checkpoint copies what nobody reads any more, waits for nobody, and returns how
// long the log is.
func (c *Checkpoints) checkpoint() (pages int, err error) {
	var busy, copied int
	row := c.db.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(PASSIVE)`)
	err = row.Scan(&busy, &pages, &copied)
	return pages, err
}

// Close ends it. Nobody may ask for a checkpoint any more.
func (c *Checkpoints) Close() error {
	close(c.due)
	<-c.ended
	return c.db.Close()
}
