package session

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
)

func TestWhatAServiceSignedIsKeptForItsAccountAlone(t *testing.T) {
	t.Parallel()
	c := &clock{}
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	const one, two = "at://did:plc:ana/fund.stratos.feature.pledge/3k1", "at://did:plc:ana/fund.stratos.feature.pledge/3k2"
	keep := func(of syntax.DID, about syntax.ATURI, word string) {
		t.Helper()
		if err := s.keep(t.Context(), of, about, word); err != nil {
			t.Fatal(err)
		}
	}
	keep("did:plc:ana", one, "first")
	c.forward(time.Hour)
	keep("did:plc:ana", one, "second")
	keep("did:plc:ana", one, "first") // told again
	keep("did:plc:ana", two, "another")
	keep("did:plc:ben", one, "of another account")
	look := func(want ...string) {
		t.Helper()
		got, err := s.kept(t.Context(), "did:plc:ana", one)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
	}
	look("second", "first")
	if err := s.keep(t.Context(), "did:plc:ana", one, strings.Repeat("x", 8193)); err == nil {
		t.Error("a word without an end is kept")
	}
	c.forward(promisesKept - time.Hour)
	look("second")
	keep("did:plc:ana", two, "new") // forgets what is over
	var rows int
	if err := s.db.QueryRowContext(t.Context(), `SELECT count(*) FROM promise WHERE word = 'first'`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("what is over is still there: %d, %v", rows, err)
	}
}
