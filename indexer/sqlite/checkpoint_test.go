package sqlite

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// What was committed lies in the database itself after a checkpoint, while the
// writer's connection never made one.
func TestCheckpoints_CopyWhatAnotherConnectionWrote(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, query := range []string{
		`PRAGMA wal_autocheckpoint = 0`,
		`CREATE TABLE letter (text TEXT)`,
		`INSERT INTO letter VALUES ('a'), ('b')`,
	} {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	alone := func() (n int, err error) {
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
	if n, err := alone(); err == nil {
		t.Fatalf("%d rows lie in the database before a checkpoint", n)
	}
	c, err := StartCheckpoints(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Due(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil { // after what was due
		t.Error(err)
	}
	if n, err := alone(); err != nil || n != 2 {
		t.Errorf("%d rows in the database alone (%v), want 2", n, err)
	}
}

func TestCheckpoints_OneThatFailedIsToldToTheNextWhoAsks(t *testing.T) {
	t.Parallel()
	c, err := StartCheckpoints(filepath.Join(t.TempDir(), "test.db"))
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
