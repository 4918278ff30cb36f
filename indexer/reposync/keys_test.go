package reposync_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

func TestKeys_FollowARotatedKey(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	dir := newDirectory(r)
	keys := reposync.NewKeys(dir, time.Minute)
	verify := func() error {
		t.Helper()
		_, err := reposync.VerifyCommit(t.Context(), keys, r.apply(put(ours+"a", r.rev.String())), wantOurs, now)
		return err
	}
	must(t, verify())
	must(t, verify())
	if got := dir.count(); got != 1 {
		t.Fatalf("%d look-ups before the rotation, want 1", got)
	}
	r.key = newKey(t)
	dir.publish(t, r.did, r.key)
	must(t, verify()) // the document that is kept has the old key
	must(t, verify())
	if got := dir.count(); got != 2 {
		t.Errorf("%d look-ups after the rotation, want 2", got)
	}
}

// What is kept of a key is no longer used once the document has another, of
// whichever curve, though the old one verifies as well as ever.
func TestKeys_ForgetAKeyThatTheDocumentNoLongerHas(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	dir := newDirectory(r)
	keys := reposync.NewKeys(dir, time.Minute)
	verify := func() error {
		t.Helper()
		_, err := reposync.VerifyCommit(t.Context(), keys, r.apply(put(ours+"a", r.rev.String())), wantOurs, now)
		return err
	}
	for _, next := range []atcrypto.PrivateKey{newKey(t), newKeyP256(t), newKey(t)} {
		must(t, verify())
		dir.publish(t, r.did, next)
		must(t, keys.Forget(t.Context(), r.did))
		forged := *r
		_, err := reposync.VerifyCommit(t.Context(), keys, forged.apply(), wantOurs, now)
		mustDrop(t, err, reposync.DropSignature)
		r.key = next
		must(t, verify())
	}
}

func TestKeys_AskOnceAMinuteForForgedSignatures(t *testing.T) {
	t.Parallel()
	alice, bob := newTestRepo(t, "did:plc:alice"), newTestRepo(t, "did:plc:bob")
	dir := newDirectory(alice, bob)
	keys := reposync.NewKeys(dir, time.Minute)
	forge := func(r *testRepo, at time.Time) error {
		t.Helper()
		forged := *r
		forged.key = newKey(t)
		_, err := reposync.VerifyCommit(t.Context(), keys, forged.apply(), wantOurs, at)
		return err
	}
	tests := []struct {
		name string
		repo *testRepo
		at   time.Duration
		want int // look-ups so far
	}{
		{"the first forgery refreshes", alice, 0, 2},
		{"the second does not", alice, time.Second, 2},
		{"nor one just before the minute", alice, time.Minute - time.Nanosecond, 2},
		{"another account is another matter", bob, time.Minute - time.Nanosecond, 4},
		{"after the minute it may again", alice, time.Minute, 5},
	}
	for _, tt := range tests {
		mustDrop(t, forge(tt.repo, now.Add(tt.at)), reposync.DropSignature)
		if got := dir.count(); got != tt.want {
			t.Fatalf("%s: %d look-ups, want %d", tt.name, got, tt.want)
		}
	}
}

func TestKeys_AreNotAvailable(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	msg := r.apply(put(ours+"a", "1"))
	t.Run("an account that nobody knows", func(t *testing.T) {
		t.Parallel()
		_, err := reposync.VerifyCommit(t.Context(), keysOf(), msg, wantOurs, now)
		if !errors.Is(err, reposync.ErrUnverified) || !errors.Is(err, identity.ErrDIDNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an account without a signing key", func(t *testing.T) {
		t.Parallel()
		dir := newDirectory()
		dir.current.Insert(identity.Identity{DID: r.did, Handle: syntax.HandleInvalid})
		_, err := reposync.VerifyCommit(t.Context(), reposync.NewKeys(dir, time.Minute), msg, wantOurs, now)
		mustDrop(t, err, reposync.DropSignature)
	})
	t.Run("a directory that cannot forget", func(t *testing.T) {
		t.Parallel()
		dir := newDirectory()
		dir.publish(t, r.did, newKey(t))
		dir.purge = errors.New("read only")
		_, err := reposync.VerifyCommit(t.Context(), reposync.NewKeys(dir, time.Minute), msg, wantOurs, now)
		if !errors.Is(err, reposync.ErrUnverified) || !errors.Is(err, dir.purge) {
			t.Errorf("got %v", err)
		}
	})
}

// deaf is a directory that never answers.
type deaf struct{ identity.Directory }

func (deaf) LookupDID(ctx context.Context, _ syntax.DID) (*identity.Identity, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestKeys_WaitNoLongerThanTheirTimeout(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	msg := r.apply(put(ours+"a", "1"))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := reposync.VerifyCommit(t.Context(), reposync.NewKeys(deaf{}, 3*time.Second), msg, wantOurs, now)
		if !errors.Is(err, reposync.ErrUnverified) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %v, want 3s", waited)
		}
	})
}

func TestKeys_StopWaitingWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	msg := r.apply(put(ours+"a", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := reposync.VerifyCommit(ctx, reposync.NewKeys(deaf{}, time.Minute), msg, wantOurs, now)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCheckRev_RefusesTheFuture(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		rev  string
		want reposync.DropReason
	}{
		{"just within the tolerance", syntax.NewTIDFromTime(now.Add(reposync.FutureTolerance), 0).String(), ""},
		{"just beyond the tolerance", syntax.NewTIDFromTime(now.Add(reposync.FutureTolerance+time.Microsecond), 0).String(), reposync.DropFutureRev},
		{"the last one there is", "jzzzzzzzzzzzz", reposync.DropFutureRev},
		{"the first one there is", "2222222222222", ""},
		{"too short", "222222222222", reposync.DropSyntax},
		{"empty", "", reposync.DropSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := reposync.CheckRev(tt.rev, now)
			if tt.want != "" {
				mustDrop(t, err, tt.want)
				return
			}
			if err != nil || got.String() != tt.rev {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
