package sqlite

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

func TestLock_OneHolderAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "a.db")
	first, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Lock(path)
	if err != nil {
		t.Fatalf("after the first let go: %v", err)
	}
	second.Close()
}

func TestBackup_IsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "a b?#%.db"), filepath.Join(dir, "copy.db")
	if err := Backup(t.Context(), path, file); err == nil {
		t.Error("backed up nothing")
	}
	db, err := Open(path, url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE t (x); INSERT INTO t VALUES (7)`); err != nil {
		t.Fatal(err)
	}
	if err := Backup(t.Context(), path, file); err != nil {
		t.Fatal(err)
	}
	// A copy that was put back, and that nobody has opened since.
	again := filepath.Join(dir, "copy of the copy.db")
	if err := Backup(t.Context(), file, again); err != nil {
		t.Fatal(err)
	}
	copied, err := Open(again, url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var x int
	if err := copied.QueryRow(`SELECT x FROM t`).Scan(&x); err != nil || x != 7 {
		t.Errorf("%d, %v", x, err)
	}
	if err := Backup(t.Context(), path, file); err == nil {
		t.Error("wrote over a backup")
	}
	// No file is left of one that failed.
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, []byte("this is no database, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.db")
	if err := Backup(t.Context(), notes, broken); err == nil {
		t.Error("backed up a text")
	}
	if _, err := os.Stat(broken); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}
