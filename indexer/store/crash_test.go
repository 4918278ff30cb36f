package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// crashEnv names the database that a child process writes until it is killed.
const crashEnv = "STORE_TEST_CRASH_DB"

// TestCrash_ChildWritesUntilKilled is the child of the test below: it goes on
// from the cursor with one commit per sequence number, and says what it did.
func TestCrash_ChildWritesUntilKilled(t *testing.T) {
	path := os.Getenv(crashEnv)
	if path == "" {
		t.Skip("only as a child")
	}
	w := newWorld(t, openTestStore(t, path, trusting, newClock()))
	p := &peer{did: alice, records: map[syntax.ATURI]Record{}}
	w.peers[alice] = p
	seq, _, err := w.s.Cursor(t.Context(), upstream)
	if err != nil {
		t.Fatal(err)
	}
	w.seq = seq
	// seq 1 began to track the repository, each later one is its next commit.
	p.rev = int(seq)
	p.data = fmt.Sprintf("root %d", p.rev)
	for {
		n := p.rev + 1
		w.want(OutcomeApplied, p.commit([]Record{
			proposal(t, alice, n, onAccount(bob), nil),
			estimate(t, alice, n, proposalURI(alice, n), 500, "USD", nil),
		}))
		fmt.Println(w.seq)
	}
}

func TestCrash_CursorAndRowsAgreeAfterAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "index.db")
	w := newWorld(t, openTestStore(t, path, trusting, newClock()))
	w.join(alice)
	mustClose(t, w.s)
	var last int64 = 1
	for _, commits := range []int{1, 17, 3, 40, 8} {
		reported := killAfter(t, path, commits)
		last = checkAfterKill(t, path, max(last, reported))
	}
}

// killAfter lets a child write until it reported some commits, kills it in the
// middle of the next ones, and returns the last that it reported.
func killAfter(t *testing.T, path string, commits int) (last int64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash_ChildWritesUntilKilled$", "-test.timeout=1m")
	child.Env = append(os.Environ(), crashEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if n == commits {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		seq, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		last = seq
	}
	if err := child.Wait(); err == nil || last == 0 {
		t.Fatalf("the child ended by itself at %d", last)
	}
	return last
}

func checkAfterKill(t *testing.T, path string, reported int64) (seq int64) {
	t.Helper()
	s := openTestStore(t, path, trusting, newClock())
	defer mustClose(t, s)
	seq, _, err := s.Cursor(t.Context(), upstream)
	if err != nil || seq < reported {
		t.Fatalf("cursor %d, %v; the child had reported %d", seq, err, reported)
	}
	var verdict string
	if err := s.read.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity: %s, %v", verdict, err)
	}
	w := newWorld(t, s)
	w.peers[alice] = &peer{did: alice}
	if row := w.row(alice); row.rev != tid(int(seq)) || row.state != RepoSynchronized {
		t.Fatalf("repo at %s, cursor at %d", row.rev, seq)
	}
	want := int(seq) - 1 // seq 1 had none
	for _, table := range []string{"proposal", "estimate", "stage_interval", "funding", "ranking"} {
		if got := count(t, s, table); got != want {
			t.Fatalf("%d rows in %s, cursor at %d", got, table, seq)
		}
	}
	for n := int64(2); n <= seq; n++ {
		if w.state(proposalURI(alice, int(n))) == nil {
			t.Fatalf("the rows of %d are missing, cursor at %d", n, seq)
		}
	}
	return seq
}
