package reposync_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// verifySnapshot spools the file and proves it.
func verifySnapshot(ctx context.Context, keys *reposync.Keys, did syntax.DID, raw []byte, wanted reposync.Filter, now time.Time) (*reposync.Snapshot, error) {
	spool, err := reposync.NewSpool("", bytes.NewReader(raw), 64<<20)
	if err != nil {
		return nil, err
	}
	snapshot, err := reposync.VerifySnapshot(ctx, keys, did, spool, wanted, now)
	return snapshot, errors.Join(err, spool.Close())
}

// aRepository is a CAR file.
func aRepository(t *testing.T) []byte {
	t.Helper()
	r := newTestRepo(t, "did:plc:alice")
	r.apply(put(ours+syntax.NewTIDFromInteger(1).String(), "a record"))
	return r.snapshot()
}

func TestSpool_RefusesMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	raw := aRepository(t)
	if _, err := reposync.NewSpool("", bytes.NewReader(raw), int64(len(raw)-1)); !errors.Is(err, reposync.ErrTooLarge) {
		t.Errorf("one byte over the limit: %v", err)
	}
	spool, err := reposync.NewSpool("", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatalf("exactly the limit: %v", err)
	}
	if err := spool.Close(); err != nil {
		t.Error(err)
	}
}

func TestSpool_RefusesAnEndlessFile(t *testing.T) {
	t.Parallel()
	raw := aRepository(t)
	section := []byte{1, 0} // not even a block, again and again
	endless := io.MultiReader(bytes.NewReader(raw), &repeating{section})
	if _, err := reposync.NewSpool("", endless, 1<<20); err == nil {
		t.Error("an endless file was accepted")
	}
}

type repeating struct{ b []byte }

func (r *repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.b[i%len(r.b)]
	}
	return len(p), nil
}

func TestSpool_TellsABrokenConnectionFromABadFile(t *testing.T) {
	t.Parallel()
	raw := aRepository(t)
	broken := errors.New("connection reset")
	_, err := reposync.NewSpool("", io.MultiReader(bytes.NewReader(raw[:len(raw)/2]), iotest.ErrReader(broken)), 1<<20)
	var dropped *reposync.DropError
	if !errors.Is(err, broken) || errors.As(err, &dropped) {
		t.Errorf("a broken connection: %v", err)
	}
	_, err = reposync.NewSpool("", bytes.NewReader(raw[:len(raw)-1]), 1<<20)
	if !errors.As(err, &dropped) || dropped.Reason != reposync.DropBadCAR {
		t.Errorf("a file that ends too early: %v", err)
	}
}
