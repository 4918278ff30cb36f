package reposync_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// BenchmarkVerifyCommit verifies what the network sends most: a commit that
// creates one record. Beside indigo, in one loop and thus under one load, it
// reports how many times longer indigo takes for the same message.
func BenchmarkVerifyCommit(b *testing.B) {
	for _, curve := range []string{"K256", "P256"} {
		for _, size := range []int{200, 1000, 5000} {
			r, msg := typicalCommit(b, curve, size)
			keys, dir := keysOf(r), newDirectory(r)
			b.Run(fmt.Sprintf("%s/%d/alone", curve, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					verifyOurs(b, keys, msg)
				}
			})
			b.Run(fmt.Sprintf("%s/%d/beside-indigo", curve, size), func(b *testing.B) {
				var ours, theirs time.Duration
				for b.Loop() {
					start := time.Now()
					verifyOurs(b, keys, msg)
					between := time.Now()
					verifyTheirs(b, dir, msg)
					ours, theirs = ours+between.Sub(start), theirs+time.Since(between)
				}
				b.ReportMetric(float64(theirs)/float64(ours), "x-indigo")
			})
		}
	}
}

// typicalCommit creates one record of the usual length in a repository of size
// records.
func typicalCommit(t testing.TB, curve string, size int) (*testRepo, *comatproto.SyncSubscribeRepos_Commit) {
	t.Helper()
	r := newTestRepo(t, "did:plc:ewvi7nxzyoun6zhxrhs64oiz")
	if curve == "P256" {
		r.key = newKeyP256(t)
	}
	edits := make([]edit, size)
	for i := range edits {
		edits[i] = put(foreign+tidAt(i), "x")
	}
	r.apply(edits...)
	return r, r.apply(put(ours+tidAt(size), strings.Repeat("text ", 80)))
}

func newKeyP256(t testing.TB) atcrypto.PrivateKey {
	t.Helper()
	key, err := atcrypto.GeneratePrivateKeyP256()
	must(t, err)
	return key
}

func tidAt(n int) string {
	return syntax.NewTIDFromTime(began.Add(time.Duration(n)*time.Second), 0).String()
}

func verifyOurs(b *testing.B, keys *reposync.Keys, msg *comatproto.SyncSubscribeRepos_Commit) {
	got, err := reposync.VerifyCommit(context.Background(), keys, msg, wantOurs, now.Add(time.Hour))
	if err != nil || len(got.Ops) != 1 {
		b.Fatalf("%+v, %v", got, err)
	}
}

func verifyTheirs(b *testing.B, dir *directory, msg *comatproto.SyncSubscribeRepos_Commit) {
	if _, err := repo.VerifyCommitMessage(context.Background(), msg); err != nil {
		b.Fatal(err)
	}
	if err := repo.VerifyCommitSignature(context.Background(), dir, msg); err != nil {
		b.Fatal(err)
	}
}
