package sqlite

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// newLetters makes a database with one table, whose connection never copies its
// log.
func newLetters(t *testing.T) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, query := range []string{`PRAGMA wal_autocheckpoint = 0`, `CREATE TABLE letter (text TEXT)`} {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	return path, db
}

func mustWrite(t *testing.T, db *sql.DB, letter string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO letter VALUES ($1)`, letter); err != nil {
		t.Fatal(err)
	}
}

// lettersAlone counts what lies in the database at path without its log.
func lettersAlone(t *testing.T, path string) (n int, err error) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "alone.db")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	copied, err := Open(file, url.Values{"_journal_mode": {"DELETE"}})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	err = copied.QueryRowContext(t.Context(), `SELECT count(*) FROM letter`).Scan(&n)
	return n, err
}

// copyOnce asks for one checkpoint and waits for it.
func copyOnce(t *testing.T, path string, writer sync.Locker, long int) {
	t.Helper()
	c, err := StartCheckpoints(path, writer, long)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Due(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil { // after what was due
		t.Error(err)
	}
}

// What was committed lies in the database itself after a checkpoint, while the
// writer's connection never made one.
func TestCheckpoints_CopyWhatAnotherConnectionWrote(t *testing.T) {
	t.Parallel()
	path, db := newLetters(t)
	mustWrite(t, db, "a")
	mustWrite(t, db, "b")
	if n, err := lettersAlone(t, path); err == nil {
		t.Fatalf("%d rows lie in the database before a checkpoint", n)
	}
	copyOnce(t, path, busyWriter(func() { t.Error("the writer waits for a short log") }), 1000)
	if n, err := lettersAlone(t, path); err != nil || n != 2 {
		t.Errorf("%d rows in the database alone (%v), want 2", n, err)
	}
}

// busyWriter is a writer who writes until it is locked.
type busyWriter func()

func (w busyWriter) Lock()   { w() }
func (w busyWriter) Unlock() {}

// A writer who does not rest by itself writes while its log is copied. What it
// wrote meanwhile is copied as well, so that the log begins anew.
func TestCheckpoints_ALongLogBeginsAnewUnderABusyWriter(t *testing.T) {
	t.Parallel()
	path, db := newLetters(t)
	for range 20 {
		mustWrite(t, db, "a")
	}
	before := logLength(t, db)
	copyOnce(t, path, busyWriter(func() { mustWrite(t, db, "meanwhile") }), before)
	if n, err := lettersAlone(t, path); err != nil || n != 21 {
		t.Errorf("%d rows in the database alone (%v), want 21", n, err)
	}
	mustWrite(t, db, "b")
	if after := logLength(t, db); after >= before {
		t.Errorf("the log has %d pages, and had %d", after, before)
	}
}

// logLength is how many pages the log has.
func logLength(t *testing.T, db *sql.DB) (pages int) {
	t.Helper()
	var busy, copied int
	if err := db.QueryRowContext(t.Context(), `PRAGMA wal_checkpoint(NOOP)`).Scan(&busy, &pages, &copied); err != nil {
		t.Fatal(err)
	}
	return pages
}

func TestCheckpoints_OneThatFailedIsToldToTheNextWhoAsks(t *testing.T) {
	t.Parallel()
	c, err := StartCheckpoints(filepath.Join(t.TempDir(), "test.db"), new(sync.Mutex), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	_ = c.Due() // it may have been tried already, or not
	close(c.due)
	<-c.ended
	c.due = make(chan struct{}, 1)
	if err := c.Due(); err == nil {
		t.Error("nobody learns that the log cannot be copied")
	}
}
