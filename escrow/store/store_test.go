package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 987654321, time.UTC)

func clock() time.Time { return start }

func openTest(t *testing.T, path string, opts Options) *Store {
	t.Helper()
	opts.Clock = clock
	s, err := Open(t.Context(), Config{Path: path, Mode: payments.Test}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newTest opens a store with a table of names to write.
func newTest(t *testing.T, opts Options) *Store {
	t.Helper()
	s := openTest(t, filepath.Join(t.TempDir(), "escrow.db"), opts)
	withTable(t, s)
	return s
}

func withTable(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE name (name TEXT PRIMARY KEY) STRICT`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func insert(ctx context.Context, tx *Tx, name string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO name (name) VALUES ($1)`, name)
	return err
}

func names(t *testing.T, s *Store) (out []string) {
	t.Helper()
	err := s.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		rows, err := q.QueryContext(ctx, `SELECT name FROM name ORDER BY name`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			out = append(out, name)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// together runs functions in one transaction: the first one to run waits until all
// the others wait for it.
func together(t *testing.T, s *Store, ctxs []context.Context, fns ...func(context.Context, *Tx) error) []error {
	t.Helper()
	errs := make([]error, len(fns))
	entered, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.Update(context.Background(), func(context.Context, *Tx) error {
			close(entered)
			<-leave
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	for i, fn := range fns {
		ctx := t.Context()
		if ctxs != nil && ctxs[i] != nil {
			ctx = ctxs[i]
		}
		wg.Go(func() { errs[i] = s.Update(ctx, fn) })
		for {
			s.group.mu.Lock()
			n := len(s.group.waiting)
			s.group.mu.Unlock()
			if n == i+1 {
				break
			}
			runtime.Gosched()
		}
	}
	close(leave)
	wg.Wait()
	return errs
}

func TestUpdate_OneThatFailsIsTakenBackAlone(t *testing.T) {
	t.Parallel()
	var commits int
	s := newTest(t, Options{Crash: func(p crashpoint.Point) error {
		if p == crashpoint.AfterCommit {
			commits++
		}
		return nil
	}})
	commits = 0
	refused := errors.New("refused")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	told := make([]bool, 6)
	errs := together(t, s, []context.Context{4: ended, 5: nil},
		func(ctx context.Context, tx *Tx) error {
			tx.OnCommit(func() { told[0] = true })
			if now := tx.Now(); !now.Equal(start.Truncate(time.Millisecond)) {
				t.Errorf("now is %s", now)
			}
			return insert(ctx, tx, "a")
		},
		func(ctx context.Context, tx *Tx) error {
			tx.OnCommit(func() { told[1] = true })
			return errors.Join(insert(ctx, tx, "b"), refused)
		},
		func(ctx context.Context, tx *Tx) error {
			return errors.Join(insert(ctx, tx, "c"), insert(ctx, tx, "a")) // the key is there
		},
		func(ctx context.Context, tx *Tx) error {
			if err := insert(ctx, tx, "d"); err != nil {
				return err
			}
			if err := insert(ctx, tx, "a"); err == nil {
				t.Error("inserted twice")
			}
			if err := insert(ctx, tx, "e"); err == nil {
				t.Error("went on after a failure")
			}
			return nil // swallowed
		},
		func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "f") }, // nobody wants it any more
		func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "g") },
	)
	if got := names(t, s); !slices.Equal(got, []string{"a", "g"}) {
		t.Errorf("%v is there", got)
	}
	if errs[0] != nil || !errors.Is(errs[1], refused) || errs[2] == nil || errs[3] == nil || !errors.Is(errs[4], context.Canceled) || errs[5] != nil {
		t.Errorf("the callers heard %v", errs)
	}
	if !told[0] || told[1] {
		t.Errorf("after the commit were told %v", told)
	}
	if commits != 2 { // that of who held the others up, and one for all of them
		t.Errorf("%d commits", commits)
	}
}

func TestUpdate_AFailureAloneChangesNothing(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		return errors.Join(insert(ctx, tx, "a"), insert(ctx, tx, "a"))
	})
	if err == nil || len(names(t, s)) != 0 {
		t.Errorf("%v, and %v is there", err, names(t, s))
	}
	if err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "b") }); err != nil {
		t.Error(err)
	}
}

func TestUpdate_APanicIsItsOwnCallers(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	var heard any
	errs := together(t, s, nil,
		func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "a") },
		func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "b") },
	)
	func() {
		defer func() { heard = recover() }()
		err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
			if err := insert(ctx, tx, "c"); err != nil {
				return err
			}
			panic("mine")
		})
		t.Errorf("returned %v", err)
	}()
	if heard != "mine" || errs[0] != nil || errs[1] != nil || !slices.Equal(names(t, s), []string{"a", "b"}) {
		t.Errorf("%v, %v, %v", heard, errs, names(t, s))
	}
}

func TestUpdate_AFailedCommitFailsAllAndNothingIsWrittenAfterIt(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	errs := together(t, s, nil,
		func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "a") },
		func(ctx context.Context, tx *Tx) error {
			// A line without its entry, which is missed when the transaction commits.
			for _, path := range []string{"x", "y"} {
				if _, err := tx.ExecContext(ctx, `INSERT INTO account (path, kind, currency, bound) VALUES ($1, 'float', 'USD', 'none')`, path); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO posting (entry, line, debit, credit, amount) VALUES (1, 1, 1, 2, 5)`)
			return err
		},
		func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "b") },
	)
	for i, err := range errs {
		if err == nil {
			t.Errorf("caller %d was told that it is durable", i)
		}
	}
	if err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "c") }); !errors.Is(err, ErrBroken) {
		t.Errorf("after that: %v", err)
	}
	if got := names(t, s); len(got) != 0 {
		t.Errorf("%v is there", got)
	}
}

func TestUpdate_DiesAtEachPointWithAllOrNothing(t *testing.T) {
	t.Parallel()
	for point, durable := range map[crashpoint.Point][]string{crashpoint.BeforeCommit: nil, crashpoint.AfterCommit: {"a"}} {
		path := filepath.Join(t.TempDir(), "escrow.db")
		dead, armed := errors.New("dead"), false
		s := openTest(t, path, Options{Crash: func(p crashpoint.Point) error {
			if armed && p == point {
				return dead
			}
			return nil
		}})
		withTable(t, s)
		armed = true
		if err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "a") }); !errors.Is(err, dead) {
			t.Errorf("%s: the caller heard %v", point, err)
		}
		if err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "b") }); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: a dead process went on: %v", point, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := names(t, openTest(t, path, Options{})); !slices.Equal(got, durable) {
			t.Errorf("%s: %v is there", point, got)
		}
	}
}

func TestUpdate_ManyWritersLoseNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "escrow.db")
	s := openTest(t, path, Options{})
	withTable(t, s)
	const writers, each = 16, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
					if err := insert(ctx, tx, fmt.Sprintf("%d-%d", w, n)); err != nil || n%5 > 0 {
						return err
					}
					return errors.New("not this one")
				})
				if (err != nil) != (n%5 == 0) {
					t.Errorf("%d-%d: %v", w, n, err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, openTest(t, path, Options{})); len(got) != writers*each*4/5 {
		t.Errorf("%d names", len(got))
	}
}

func TestOpen_OneAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "escrow.db")
	s := openTest(t, path, Options{})
	withTable(t, s)
	if _, err := Open(t.Context(), Config{Path: path, Mode: payments.Test}, Options{Clock: clock}); !errors.Is(err, sqlite.ErrLocked) {
		t.Fatalf("a second one: %v", err)
	}
	if err := os.Remove(path + ".lock"); err != nil { // somebody tidies up
		t.Fatal(err)
	}
	second := openTest(t, path, Options{})
	for range 2 {
		err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "first") })
		if !errors.Is(err, ErrSuperseded) {
			t.Errorf("the first one: %v", err)
		}
	}
	if err := second.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "second") }); err != nil {
		t.Error(err)
	}
	if got := names(t, second); !slices.Equal(got, []string{"second"}) {
		t.Error(got)
	}
	if err := errors.Join(second.Close(), second.Close()); err != nil {
		t.Error(err)
	}
}

func TestOpen_TheModeIsForEver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "a b?#%.db")
	s := openTest(t, path, Options{})
	err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE instance SET mode = 'live', epoch = epoch + 1`)
		return err
	})
	if err == nil {
		t.Error("the mode was changed")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Config{Path: path, Mode: payments.Live}, Options{Clock: clock})
	mode, ok := errors.AsType[*ModeError](err)
	if !ok || mode.Have != payments.Test || mode.Want != payments.Live || !strings.Contains(err.Error(), "database of its own") {
		t.Errorf("in another mode: %v", err)
	}
	if _, err := Open(t.Context(), Config{Path: path, Mode: "real"}, Options{Clock: clock}); err == nil {
		t.Error("opened in a mode that there is not")
	}
	if s = openTest(t, path, Options{}); s.Mode() != payments.Test {
		t.Error(s.Mode())
	}
}

// Whoever names the index, or any other file, must not have it changed.
func TestOpen_AFileOfSomethingElseStaysAsItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	index := filepath.Join(dir, "index.db")
	db, err := sqlite.Open(index, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER, is_applied INTEGER, tstamp TIMESTAMP)`,
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1)`, `CREATE TABLE record (uri TEXT)`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database at all\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{index, text} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), Config{Path: path, Mode: payments.Simulator}, Options{Clock: time.Now})
		if err == nil {
			t.Errorf("%s was opened", path)
			_ = s.Close()
		} else if !strings.Contains(err.Error(), path+" is no escrow's database") {
			t.Errorf("%s: %v", path, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s was changed (%v)", path, err)
		}
	}
}

func TestOpenReadOnly_ReadsWhileTheEscrowWritesAndNeverWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "escrow.db")
	if _, err := OpenReadOnly(t.Context(), path); err == nil {
		t.Error("opened nothing")
	}
	s := openTest(t, path, Options{})
	withTable(t, s)
	r, err := OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "a") }); err != nil {
		t.Fatal(err)
	}
	if got := names(t, r); !slices.Equal(got, []string{"a"}) || r.Mode() != payments.Test {
		t.Errorf("%v in %s mode", got, r.Mode())
	}
	if err := r.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "b") }); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	db, err := sqlite.Open(other, url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE x (y)`); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReadOnly(t.Context(), other); err == nil {
		t.Error("opened a database of something else")
	}
}

// Whoever looks at a backup leaves it as it was made.
func TestOpenReadOnly_LeavesABackupAsItIs(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	names(t, r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(copied); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the backup was changed (%v)", err)
	}
}

// Whoever copies a backup over a ledger whose process was killed would have the log of the
// old one written into it.
func TestOpen_ABackupInThePlaceOfADatabaseHasNoLog(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	add := func(name string) {
		t.Helper()
		if err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, name) }); err != nil {
			t.Fatal(err)
		}
	}
	add("before")
	dir := t.TempDir()
	backup := filepath.Join(dir, "backup.db")
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	add("after")
	// The machine dies, and its operator restores.
	place := filepath.Join(dir, "escrow.db")
	for from, to := range map[string]string{s.path + "-wal": place + "-wal", backup: place} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Open(t.Context(), Config{Path: place, Mode: payments.Test}, Options{Clock: clock})
	if err == nil || !strings.Contains(err.Error(), "remove "+place+"-wal") {
		t.Errorf("opened with the log of another: %v", err)
	}
	if _, err := OpenReadOnly(t.Context(), place); err == nil {
		t.Error("read with the log of another")
	}
	if err := os.Remove(place + "-wal"); err != nil {
		t.Fatal(err)
	}
	restored := openTest(t, place, Options{})
	if got := names(t, restored); !slices.Equal(got, []string{"before"}) {
		t.Errorf("restored %v", got)
	}
	// And a process that was killed goes on with its own log.
	killed := filepath.Join(t.TempDir(), "escrow.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(killed+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, openTest(t, killed, Options{})); !slices.Equal(got, []string{"after", "before"}) {
		t.Errorf("after a kill: %v", got)
	}
}

func restoredAt(t *testing.T, s *Store) (at time.Time) {
	t.Helper()
	err := s.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		at, err = RestoredAt(ctx, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOpen_ABackupIsNotedUntilItHasCaughtUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "escrow.db")
	s := openTest(t, path, Options{})
	want := func(s *Store, restored bool, when string) {
		t.Helper()
		if at := restoredAt(t, s); at.IsZero() == restored || restored && !at.Equal(start.Truncate(time.Millisecond)) {
			t.Errorf("%s it is noted at %s", when, at)
		}
	}
	again := func(s *Store) *Store {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return openTest(t, s.path, Options{})
	}
	want(s, false, "new,")
	s = again(s)
	want(s, false, "opened again,")

	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	want(s, false, "backed up,")
	r := openTest(t, copied, Options{})
	want(r, true, "restored,")
	r = again(r)
	want(r, true, "restored and opened again,")
	second := filepath.Join(t.TempDir(), "second.db")
	if err := r.Backup(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := r.Update(t.Context(), ForgetRestored); err != nil {
		t.Fatal(err)
	}
	want(r, false, "caught up,")
	r = again(r)
	want(r, false, "caught up and opened again,")
	third := filepath.Join(t.TempDir(), "third.db")
	if err := r.Backup(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	for _, copied := range []string{second, third} {
		want(openTest(t, copied, Options{}), true, "a backup of what was restored,")
	}

	if err := s.Update(t.Context(), NoteRestored); err != nil {
		t.Fatal(err)
	}
	want(again(s), true, "as a person says,")
}

// Who dies after the note has it, and who dies before it makes it: the header says that it
// is a backup until the note is on the disk.
func TestOpen_ADeathAroundTheNoteOfABackupKeepsIt(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	dying := &Store{path: copied, mode: payments.Test, now: clock}
	if err := dying.noteRestored(t.Context()); err != nil {
		t.Fatal(err)
	}
	if backup, err := isBackup(copied); err != nil || !backup {
		t.Fatalf("noted, and the header says %t, %v", backup, err)
	}
	reader, err := OpenReadOnly(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	if restoredAt(t, reader).IsZero() {
		t.Error("it was noted, and is not on the disk")
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if restoredAt(t, openTest(t, copied, Options{})).IsZero() {
		t.Error("the note was lost")
	}
}

// A backup of another mode is refused as it is.
func TestOpen_ABackupOfAnotherModeIsNotChanged(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Path: copied, Mode: payments.Live}, Options{Clock: clock}); err == nil {
		t.Fatal("opened in another mode")
	}
	r, err := OpenReadOnly(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if at := restoredAt(t, r); !at.IsZero() {
		t.Errorf("it is noted at %s", at)
	}
}

// A commit that was reported is synced: this is what the promise rests on.
func TestOpen_TheWriterSyncsEachCommit(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "recursive_triggers": "1"} {
			var got string
			if err := tx.QueryRowContext(ctx, `PRAGMA `+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s instead of %s, %v", pragma, got, want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestBackup_WhileWritersGoOn(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			// Both or none.
			err := s.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
				return errors.Join(insert(ctx, tx, fmt.Sprintf("%d-a", n)), insert(ctx, tx, fmt.Sprintf("%d-b", n)))
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	var files []string
	for n := range 3 {
		files = append(files, filepath.Join(t.TempDir(), fmt.Sprint(n)))
		if err := s.Backup(t.Context(), files[n]); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	for _, file := range files {
		if got := names(t, openTest(t, file, Options{})); len(got)%2 != 0 {
			t.Errorf("a backup has half a transaction: %v", got)
		}
	}
}
