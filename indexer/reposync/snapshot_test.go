package reposync_test

import (
	"fmt"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

func textOf(t testing.TB, raw []byte) string {
	t.Helper()
	value, err := atdata.UnmarshalCBOR(raw)
	must(t, err)
	text, _ := value["text"].(string)
	return text
}

func recordsSeen(t testing.TB, s *reposync.Snapshot) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, r := range s.Records {
		checkHash(t, r.CID, r.Value)
		out[r.Collection.String()+"/"+r.RKey.String()] = textOf(t, r.Value)
	}
	return out
}

func TestVerifySnapshot_ReadsAWholeRepository(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	want := map[string]string{}
	var edits []edit
	for i := range 500 {
		path := ours + syntax.NewTIDFromInteger(uint64(i)).String()
		edits = append(edits, put(path, fmt.Sprint(i)), put(foreign+syntax.NewTIDFromInteger(uint64(i)).String(), "x"))
		want[path] = fmt.Sprint(i)
	}
	r.apply(edits...)
	r.apply(del(edits[0].path), put(edits[2].path, "changed"))
	delete(want, edits[0].path)
	want[edits[2].path] = "changed"

	got, err := verifySnapshot(t.Context(), keysOf(r), r.did, r.snapshot(), wantOurs, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, recordsSeen(t, got)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	got.Records = nil
	if diff := cmp.Diff(&reposync.Snapshot{DID: r.did, Rev: r.rev, Data: r.data}, got, cmp.Comparer(cid.Cid.Equals)); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}

func TestVerifySnapshot_ReadsAnEmptyRepository(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	r.apply()
	got, err := verifySnapshot(t.Context(), keysOf(r), r.did, r.snapshot(), wantOurs, now)
	if err != nil || len(got.Records) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestVerifySnapshot_DoesNotNeedForeignRecords(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	r.apply(put(ours+"a", "1"), put(foreign+"f", "2"))
	raw := without(t, r.snapshot(), encode(t, put("", "2").value).cid)
	if _, err := verifySnapshot(t.Context(), keysOf(r), r.did, raw, wantOurs, now); err != nil {
		t.Error(err)
	}
}

func TestVerifySnapshot_DropsLies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lie  func(r *testRepo, raw []byte) []byte
		want reposync.DropReason
	}{
		{"nothing", func(*testRepo, []byte) []byte { return nil }, reposync.DropBadCAR},
		{"garbage", func(*testRepo, []byte) []byte { return []byte("<html>") }, reposync.DropBadCAR},
		{"a truncated file", func(_ *testRepo, raw []byte) []byte { return raw[:len(raw)/2] }, reposync.DropBadCAR},
		{"a missing root of the tree", func(r *testRepo, raw []byte) []byte { return without(r.t, raw, r.data) }, reposync.DropBadCAR},
		{"a missing node", func(r *testRepo, raw []byte) []byte {
			for _, e := range r.tree.Root.Entries {
				if e.ChildCID != nil {
					return without(r.t, raw, *e.ChildCID)
				}
			}
			r.t.Fatal("the tree is flat")
			return nil
		}, reposync.DropBadCAR},
		{"a missing record", func(r *testRepo, raw []byte) []byte {
			return without(r.t, raw, encode(r.t, put("", "needed").value).cid)
		}, reposync.DropBadCAR},
		{"the repository of somebody else", func(r *testRepo, _ []byte) []byte {
			bob := newTestRepo(r.t, "did:plc:bob")
			bob.apply(put(ours+"a", "1"))
			return bob.snapshot()
		}, reposync.DropFieldMismatch},
		{"signed with another key", func(r *testRepo, _ []byte) []byte {
			r.key = newKey(r.t)
			r.apply()
			return r.snapshot()
		}, reposync.DropSignature},
		{"a rev from the future", func(r *testRepo, _ []byte) []byte {
			r.revs = int(2 * time.Hour / time.Second)
			r.apply()
			return r.snapshot()
		}, reposync.DropFutureRev},
		{"a path that is none", func(r *testRepo, _ []byte) []byte {
			r.apply(put("not a path", "1"))
			return r.snapshot()
		}, reposync.DropSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newTestRepo(t, "did:plc:alice")
			edits := []edit{put(ours+"needed", "needed")}
			for i := range 100 {
				edits = append(edits, put(foreign+syntax.NewTIDFromInteger(uint64(i)).String(), "x"))
			}
			r.apply(edits...)
			keys := keysOf(r)
			if _, err := verifySnapshot(t.Context(), keys, r.did, r.snapshot(), wantOurs, now); err != nil {
				t.Fatalf("dropped before the lie: %v", err)
			}
			_, err := verifySnapshot(t.Context(), keys, "did:plc:alice", tt.lie(r, r.snapshot()), wantOurs, now)
			mustDrop(t, err, tt.want)
		})
	}
}

func TestVerifySync(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lie  func(r *testRepo, msg *comatproto.SyncSubscribeRepos_Sync)
		want reposync.DropReason // empty: it is believed
	}{
		{"the truth", func(*testRepo, *comatproto.SyncSubscribeRepos_Sync) {}, ""},
		{"more blocks than the commit", func(r *testRepo, m *comatproto.SyncSubscribeRepos_Sync) { m.Blocks = r.snapshot() }, ""},
		{"a DID that is none", func(_ *testRepo, m *comatproto.SyncSubscribeRepos_Sync) { m.Did = "alice" }, reposync.DropSyntax},
		{"somebody else's", func(_ *testRepo, m *comatproto.SyncSubscribeRepos_Sync) { m.Did = "did:plc:bob" }, reposync.DropFieldMismatch},
		{"a rev that is none", func(_ *testRepo, m *comatproto.SyncSubscribeRepos_Sync) { m.Rev = "" }, reposync.DropSyntax},
		{"a rev that was not signed", func(_ *testRepo, m *comatproto.SyncSubscribeRepos_Sync) {
			m.Rev = syntax.NewTIDFromTime(began, 0).String()
		}, reposync.DropFieldMismatch},
		{"a rev from the future", func(_ *testRepo, m *comatproto.SyncSubscribeRepos_Sync) {
			m.Rev = syntax.NewTIDFromTime(now.Add(time.Hour), 0).String()
		}, reposync.DropFutureRev},
		{"too many bytes", func(_ *testRepo, m *comatproto.SyncSubscribeRepos_Sync) {
			m.Blocks = make([]byte, reposync.MaxBlocks+1)
		}, reposync.DropTooLarge},
		{"no blocks", func(_ *testRepo, m *comatproto.SyncSubscribeRepos_Sync) { m.Blocks = nil }, reposync.DropBadCAR},
		{"the commit is missing", func(r *testRepo, m *comatproto.SyncSubscribeRepos_Sync) {
			m.Blocks = without(r.t, r.snapshot(), r.commit.cid)
		}, reposync.DropBadCAR},
		{"signed with another key", func(r *testRepo, m *comatproto.SyncSubscribeRepos_Sync) {
			forged := sign(r.t, repo.Commit{DID: r.did.String(), Version: 3, Rev: r.rev.String(), Data: r.data}, newKey(r.t))
			m.Blocks = makeCAR(r.t, []cid.Cid{forged.cid}, forged)
		}, reposync.DropSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newTestRepo(t, "did:plc:alice")
			r.apply(put(ours+"a", "1"))
			msg := &comatproto.SyncSubscribeRepos_Sync{
				Did: r.did.String(), Rev: r.rev.String(), Seq: 1, Time: began.Format(syntax.AtprotoDatetimeLayout),
				Blocks: makeCAR(t, []cid.Cid{r.commit.cid}, r.commit),
			}
			tt.lie(r, msg)
			got, err := reposync.VerifySync(t.Context(), keysOf(r), msg, now)
			if tt.want != "" {
				mustDrop(t, err, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := &reposync.Commit{DID: r.did, Rev: r.rev, Data: r.data}
			if diff := cmp.Diff(want, got, cmp.Comparer(cid.Cid.Equals)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
