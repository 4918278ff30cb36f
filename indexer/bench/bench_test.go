package bench

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/firehose"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

var small = FeedConfig{Seed: 1, Accounts: 60, Ours: 12, Records: 100, Events: 2000}

func mustFeed(t testing.TB) *Feed {
	t.Helper()
	f, err := NewFeed(small)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newKeys knows the keys of all members.
func newKeys(f *Feed) *reposync.Keys {
	d := identity.NewMockDirectory()
	for _, m := range f.ours {
		d.Insert(identity.Identity{DID: m.did, Handle: syntax.HandleInvalid, Keys: map[string]identity.VerificationMethod{
			"atproto": {Type: "Multikey", PublicKeyMultibase: m.key},
		}})
	}
	return reposync.NewKeys(d, time.Minute)
}

func isOurs(c syntax.NSID) bool { return slices.Contains(lexicons.Collections(), c) }

// replay proves a feed and says what it leaves: the records of the repositories
// before it, and each event of ours, which must be signed, follow the one before,
// and bring only valid records.
func replay(t *testing.T, f *Feed) map[syntax.ATURI]string {
	t.Helper()
	ctx, now, keys := t.Context(), time.Now(), newKeys(f)
	got, data := map[syntax.ATURI]string{}, map[syntax.DID]string{}
	put := func(did syntax.DID, r reposync.Record) {
		parsed, err := store.ParseRecord(did, r)
		if err != nil || parsed.Invalid != nil {
			t.Fatalf("%s: %v %v", parsed.URI(), err, parsed.Invalid)
		}
		got[parsed.URI()] = r.CID.String()
	}
	for _, m := range f.ours {
		data[m.did] = m.before.data.String()
		for _, r := range mustRecords(t, m, m.before) {
			put(m.did, r)
		}
	}
	for i, at := range f.stream {
		ev, err := firehose.Parse(f.frames[at].raw)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if _, ours := data[syntax.DID(ev.DID())]; !ours {
			continue
		}
		commit, err := reposync.VerifyCommit(ctx, keys, ev.Commit, isOurs, now)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if commit.PrevData.String() != data[commit.DID] {
			t.Fatalf("event %d does not follow", i)
		}
		data[commit.DID] = commit.Data.String()
		for _, op := range commit.Ops {
			if op.Action == reposync.ActionDelete {
				delete(got, syntax.ATURI("at://"+commit.DID.String()+"/"+op.Collection.String()+"/"+op.RKey.String()))
				continue
			}
			put(commit.DID, reposync.Record{Collection: op.Collection, RKey: op.RKey, CID: op.CID, Value: op.Record})
		}
	}
	return got
}

func TestFeedIsProvenAndLeavesWhatItSays(t *testing.T) {
	t.Parallel()
	f := mustFeed(t)
	if diff := cmp.Diff(f.Want, replay(t, f)); diff != "" {
		t.Error(diff)
	}
	after := map[syntax.ATURI]string{}
	for _, m := range f.ours {
		for _, r := range mustRecords(t, m, m.after) {
			after[syntax.ATURI("at://"+m.did.String()+"/"+r.Collection.String()+"/"+r.RKey.String())] = r.CID.String()
		}
	}
	if diff := cmp.Diff(f.Want, after); diff != "" {
		t.Error(diff)
	}
	if f.OurEvents < 200 || f.OurEvents > 700 {
		t.Errorf("%d events of ours, want about a fifth of %d", f.OurEvents, f.Events())
	}
	if avg := f.Bytes / int64(f.Events()); avg < 1500 || avg > 4500 {
		t.Errorf("frames of %d bytes on average are not like the network's", avg)
	}
}

func TestFeedFollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(mustFeed(t).Want, mustFeed(t).Want); diff != "" {
		t.Error(diff)
	}
}

func TestFrameCarriesTheSequenceNumberOfItsPlace(t *testing.T) {
	t.Parallel()
	f := mustFeed(t)
	for _, frame := range f.frames {
		message := frame.appendMessage(nil, firstSeq+7)
		ev, err := firehose.Parse(message[len(message)-len(frame.raw):])
		if err != nil || ev.Seq != firstSeq+7 {
			t.Fatalf("seq %d, %v", ev.Seq, err)
		}
	}
}

func TestCompareCountsEveryDifference(t *testing.T) {
	t.Parallel()
	want := map[syntax.ATURI]string{"at://a/b/1": "x", "at://a/b/2": "x", "at://a/b/3": "x"}
	got := map[syntax.ATURI]string{"at://a/b/1": "x", "at://a/b/2": "y", "at://a/b/4": "x", "at://a/b/5": "x"}
	if d := compare(want, got); d != (difference{missing: 1, extra: 2, wrong: 1}) {
		t.Errorf("got %+v", d)
	}
}

// foreignFrames are the frames of the feed that are not of our accounts, and an
// interest in those that are.
func foreignFrames(tb testing.TB) ([][]byte, *firehose.Interest) {
	tb.Helper()
	f := mustFeed(tb)
	tracked := map[syntax.DID]bool{}
	for _, m := range f.ours {
		tracked[m.did] = true
	}
	var raw [][]byte
	for _, at := range f.stream {
		ev, err := firehose.Parse(f.frames[at].raw)
		if err != nil {
			tb.Fatal(err)
		}
		if !tracked[syntax.DID(ev.DID())] {
			raw = append(raw, f.frames[at].raw)
		}
	}
	follows := func(did []byte) bool { return tracked[syntax.DID(did)] }
	return raw, firehose.NewInterest(lexicons.Collections(), follows, follows)
}

var errNotForeign = errors.New("a frame of the rest of the network was not seen to be foreign")

func TestSkippingForeignFramesAllocatesNothing(t *testing.T) {
	frames, interest := foreignFrames(t)
	allocs := testing.AllocsPerRun(10, func() {
		for _, frame := range frames {
			if _, _, foreign := interest.Foreign(frame); !foreign {
				panic(errNotForeign)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations in %d frames", allocs, len(frames))
	}
}

func BenchmarkSkipForeign(b *testing.B) {
	frames, interest := foreignFrames(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, foreign := interest.Foreign(frames[i%len(frames)]); !foreign {
			b.Fatal(errNotForeign)
		}
		i++
	}
}

// mustRecords proves a snapshot by indigo's means and lists its records of ours.
func mustRecords(t *testing.T, m member, s snapshot) (out []reposync.Record) {
	t.Helper()
	commit, tree, err := repo.LoadRepoFromCAR(t.Context(), bytes.NewReader(s.car))
	if err != nil {
		t.Fatal(err)
	}
	key, err := atcrypto.ParsePublicMultibase(m.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit.VerifySignature(key); err != nil {
		t.Fatal(err)
	}
	if commit.DID != m.did.String() || commit.Rev != s.rev.String() || !commit.Data.Equals(s.data) {
		t.Fatalf("%s is not where it says", m.did)
	}
	err = tree.MST.Walk(func(path []byte, value cid.Cid) error {
		collection, rkey, err := syntax.ParseRepoPath(string(path))
		if err != nil || !isOurs(collection) {
			return err
		}
		raw, _, err := tree.GetRecordBytes(t.Context(), collection, rkey)
		out = append(out, reposync.Record{Collection: collection, RKey: rkey, CID: value, Value: raw})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
