package reposync_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/lex/util"
	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// seen is an operation as a test writes it down.
type seen struct{ Action, Path, Text string }

func opsSeen(t testing.TB, ops []reposync.Op) []seen {
	t.Helper()
	var out []seen
	for _, op := range ops {
		s := seen{Action: string(op.Action), Path: op.Collection.String() + "/" + op.RKey.String()}
		if op.Action != reposync.ActionDelete {
			s.Text = textOf(t, op.Record)
			checkHash(t, op.CID, op.Record)
		} else if op.CID.Defined() || op.Record != nil {
			t.Errorf("a delete of %s brings a record", s.Path)
		}
		out = append(out, s)
	}
	return out
}

func checkHash(t testing.TB, want cid.Cid, raw []byte) {
	t.Helper()
	if got := blockOf(t, raw).cid; !got.Equals(want) {
		t.Errorf("the bytes of %s hash to %s", want, got)
	}
}

func TestVerifyCommit_AcceptsWhatTheAccountDid(t *testing.T) {
	t.Parallel()
	many := make([]edit, reposync.MaxOps)
	for i := range many {
		many[i] = put(ours+syntax.NewTIDFromInteger(uint64(i)).String(), "x")
	}
	tests := []struct {
		name   string
		before []edit // nil: the commit is the repository's first
		edits  []edit
		want   []seen
	}{
		{"the first commit", nil, []edit{put(ours+"a", "1")}, []seen{{"create", ours + "a", "1"}}},
		{"the first commit, without a record", nil, nil, nil},
		{"create", []edit{put(ours+"a", "1")}, []edit{put(ours+"b", "2")}, []seen{{"create", ours + "b", "2"}}},
		{"create after an empty commit", []edit{}, []edit{put(ours+"b", "2")}, []seen{{"create", ours + "b", "2"}}},
		{"update", []edit{put(ours+"a", "1")}, []edit{put(ours+"a", "2")}, []seen{{"update", ours + "a", "2"}}},
		{"delete", []edit{put(ours+"a", "1"), put(ours+"b", "1")}, []edit{del(ours + "a")}, []seen{{"delete", ours + "a", ""}}},
		{"delete the last record", []edit{put(ours+"a", "1")}, []edit{del(ours + "a")}, []seen{{"delete", ours + "a", ""}}},
		{
			"all at once", []edit{put(ours+"a", "1"), put(ours+"b", "1")},
			[]edit{put(ours+"c", "3"), put(ours+"b", "2"), del(ours + "a")},
			[]seen{{"delete", ours + "a", ""}, {"update", ours + "b", "2"}, {"create", ours + "c", "3"}},
		},
		{
			"foreign collections are filtered out", []edit{put(foreign+"a", "1")},
			[]edit{put(foreign+"a", "2"), put(foreign+"b", "1"), put(ours+"a", "1")},
			[]seen{{"create", ours + "a", "1"}},
		},
		{"only foreign collections", []edit{put(foreign+"a", "1")}, []edit{del(foreign + "a")}, nil},
		{"an empty commit", []edit{put(ours+"a", "1")}, nil, nil},
		{"as many operations as allowed", []edit{}, many, func() (want []seen) {
			for _, e := range many {
				want = append(want, seen{"create", e.path, "x"})
			}
			return want
		}()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newTestRepo(t, "did:plc:alice")
			var prev cid.Cid
			if tt.before != nil {
				r.apply(tt.before...)
				prev = r.data
			}
			msg := r.apply(tt.edits...)
			got, err := reposync.VerifyCommit(t.Context(), keysOf(r), msg, wantOurs, now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, opsSeen(t, got.Ops)); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
			got.Ops = nil
			want := &reposync.Commit{DID: r.did, Rev: r.rev, Data: r.data, PrevData: prev}
			if diff := cmp.Diff(want, got, cmp.Comparer(cid.Cid.Equals)); diff != "" {
				t.Errorf("commit (-want +got):\n%s", diff)
			}
			mustAgree(t, r, msg)
		})
	}
}

// mustAgree fails unless the reference implementation accepts the message too.
// It cannot read one that changes nothing and therefore brings no tree.
func mustAgree(t testing.TB, r *testRepo, msg *comatproto.SyncSubscribeRepos_Commit) {
	t.Helper()
	if len(msg.Ops) == 0 {
		return
	}
	if _, err := repo.VerifyCommitMessage(t.Context(), msg); err != nil {
		t.Errorf("indigo does not accept the message: %v", err)
	}
	if err := repo.VerifyCommitSignature(t.Context(), newDirectory(r), msg); err != nil {
		t.Errorf("indigo does not accept the signature: %v", err)
	}
}

func TestVerifyCommit_IgnoresFurtherRoots(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	msg := r.apply(put(ours+"a", "1"))
	_, all := readBlocks(t, msg.Blocks)
	msg.Blocks = makeCAR(t, []cid.Cid{r.commit.cid, all[1].cid}, all...)
	if _, err := reposync.VerifyCommit(t.Context(), keysOf(r), msg, wantOurs, now); err != nil {
		t.Error(err)
	}
}

func TestVerifyCommit_IgnoresBlocksThatNothingRefersTo(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	msg := r.apply(put(ours+"a", "1"))
	raw, err := cid.NewPrefixV1(cid.Raw, multihash.SHA2_256).Sum([]byte("a blob"))
	must(t, err)
	msg.Blocks = with(t, msg.Blocks, block{raw, []byte("a blob")}, encode(t, map[string]any{"text": "stray"}))
	if _, err := reposync.VerifyCommit(t.Context(), keysOf(r), msg, wantOurs, now); err != nil {
		t.Error(err)
	}
}

// lied is an honest message about a repository, for a lie to change: from a, b
// and a foreign record to a changed, b deleted, c created.
type lied struct {
	*testRepo
	msg  *comatproto.SyncSubscribeRepos_Commit
	a, c cid.Cid // the new records
	oldA cid.Cid
}

func newLied(t *testing.T) *lied {
	t.Helper()
	r := newTestRepo(t, "did:plc:alice")
	r.apply(put(ours+"a", "1"), put(ours+"b", "1"), put(foreign+"f", "1"))
	l := &lied{testRepo: r, oldA: encode(t, put("", "1").value).cid}
	l.msg = r.apply(put(ours+"a", "2"), del(ours+"b"), put(ours+"c", "3"))
	l.a, l.c = encode(t, put("", "2").value).cid, encode(t, put("", "3").value).cid
	return l
}

// resign lets the account sign another commit object over the same blocks.
func (l *lied) resign(change func(*repo.Commit)) {
	l.t.Helper()
	commit := repo.Commit{DID: l.did.String(), Version: repo.ATPROTO_REPO_VERSION, Rev: l.msg.Rev, Data: l.data}
	change(&commit)
	_, all := readBlocks(l.t, l.msg.Blocks)
	l.seal(l.msg, commit, all[1:]...)
}

// replace puts other bytes under a block's CID.
func (l *lied) replace(c cid.Cid, data []byte) {
	l.t.Helper()
	roots, all := readBlocks(l.t, l.msg.Blocks)
	i := slices.IndexFunc(all, func(b block) bool { return b.cid.Equals(c) })
	all[i].data = data
	l.msg.Blocks = makeCAR(l.t, roots, all...)
}

// recordAs makes the account commit to a record under a CID of its choice.
func (l *lied) recordAs(c cid.Cid, raw []byte) {
	l.t.Helper()
	r := newTestRepo(l.t, l.did)
	r.key = l.key
	r.tree = mst.NewEmptyTree()
	_, err := r.tree.Insert([]byte(ours+"a"), c)
	must(l.t, err)
	l.msg = r.apply(put(foreign+"f", "1"))
	l.msg.Ops = append(l.msg.Ops, &comatproto.SyncSubscribeRepos_RepoOp{Action: "create", Path: ours + "a", Cid: link(c)})
	l.msg.Blocks = with(l.t, l.msg.Blocks, block{c, raw})
}

func TestVerifyCommit_DropsLies(t *testing.T) {
	t.Parallel()
	other := encode(t, map[string]any{"text": "other"})
	tests := []struct {
		name string
		lie  func(*lied)
		want reposync.DropReason
	}{
		// The envelope.
		{"a repo that is no DID", func(l *lied) { l.msg.Repo = "alice" }, reposync.DropSyntax},
		{"a rev that is no TID", func(l *lied) { l.msg.Rev = "1" }, reposync.DropSyntax},
		{"a time that is none", func(l *lied) { l.msg.Time = "now" }, reposync.DropSyntax},
		{"the repo of somebody else", func(l *lied) { l.msg.Repo = "did:plc:bob" }, reposync.DropFieldMismatch},
		{"a rev that was not signed", func(l *lied) { l.msg.Rev = syntax.NewTIDFromTime(began, 0).String() }, reposync.DropFieldMismatch},
		{"a rev from the future", func(l *lied) {
			l.msg.Rev = syntax.NewTIDFromTime(now.Add(reposync.FutureTolerance+1000), 0).String()
			l.resign(func(*repo.Commit) {})
		}, reposync.DropFutureRev},
		{"tooBig", func(l *lied) { l.msg.TooBig = true }, reposync.DropDeprecated},
		{"rebase", func(l *lied) { l.msg.Rebase = true }, reposync.DropDeprecated},
		{"too many operations", func(l *lied) {
			l.msg.Ops = slices.Repeat(l.msg.Ops[:1], reposync.MaxOps+1)
		}, reposync.DropTooLarge},
		{"too many bytes", func(l *lied) {
			l.msg.Blocks = append(l.msg.Blocks, make([]byte, reposync.MaxBlocks+1-len(l.msg.Blocks))...)
		}, reposync.DropTooLarge},
		{"another commit than the CAR's", func(l *lied) { l.msg.Commit = util.LexLink(other.cid) }, reposync.DropRootMismatch},
		{"no commit at all", func(l *lied) { l.msg.Commit = util.LexLink(cid.Undef) }, reposync.DropRootMismatch},

		// The CAR file.
		{"no blocks", func(l *lied) { l.msg.Blocks = nil }, reposync.DropBadCAR},
		{"garbage", func(l *lied) { l.msg.Blocks = []byte("not a CAR file") }, reposync.DropBadCAR},
		{"a truncated file", func(l *lied) { l.msg.Blocks = l.msg.Blocks[:len(l.msg.Blocks)-1] }, reposync.DropBadCAR},
		{"a section larger than the file", func(l *lied) {
			l.msg.Blocks = append(l.msg.Blocks, 0xff, 0xff, 0xff, 0x0f)
		}, reposync.DropBadCAR},
		{"a section length without an end", func(l *lied) {
			l.msg.Blocks = append(l.msg.Blocks, slices.Repeat([]byte{0xff}, 12)...)
		}, reposync.DropBadCAR},
		{"no roots", func(l *lied) {
			_, all := readBlocks(l.t, l.msg.Blocks)
			l.msg.Blocks = makeCAR(l.t, nil, all...)
		}, reposync.DropBadCAR},
		{"the commit as the second of two roots", func(l *lied) {
			_, all := readBlocks(l.t, l.msg.Blocks)
			l.msg.Blocks = makeCAR(l.t, []cid.Cid{other.cid, l.commit.cid}, append(all, other)...)
		}, reposync.DropBadCAR},
		{"two commits, the wrong one first", func(l *lied) {
			old := l.commit
			l.resign(func(c *repo.Commit) { c.Data = other.cid })
			_, all := readBlocks(l.t, l.msg.Blocks)
			l.msg.Blocks = makeCAR(l.t, []cid.Cid{old.cid, l.commit.cid}, append(all, old)...)
		}, reposync.DropRootMismatch},
		{"the commit is missing", func(l *lied) { l.msg.Blocks = without(l.t, l.msg.Blocks, l.commit.cid) }, reposync.DropBadCAR},
		{"a commit that is none", func(l *lied) {
			l.msg.Blocks = makeCAR(l.t, []cid.Cid{other.cid}, other)
			l.msg.Commit = util.LexLink(other.cid)
		}, reposync.DropBadCAR},
		{"a commit of version 2", func(l *lied) { l.resign(func(c *repo.Commit) { c.Version = 2 }) }, reposync.DropBadCAR},
		{"bytes that were tampered with", func(l *lied) { l.replace(l.a, encode(l.t, put("", "9").value).data) }, reposync.DropBadCAR},
		{"a tampered block that nothing refers to", func(l *lied) {
			l.msg.Blocks = with(l.t, l.msg.Blocks, block{other.cid, []byte{0xa0}})
		}, reposync.DropBadCAR},
		{"a missing record", func(l *lied) { l.msg.Blocks = without(l.t, l.msg.Blocks, l.c) }, reposync.DropBadCAR},
		{"a missing root of the tree", func(l *lied) { l.msg.Blocks = without(l.t, l.msg.Blocks, l.data) }, reposync.DropBadCAR},

		// The signature.
		{"another's signature", func(l *lied) {
			l.key = newKey(l.t)
			l.resign(func(*repo.Commit) {})
		}, reposync.DropSignature},
		{"a signature over something else", func(l *lied) {
			commit := repo.Commit{DID: l.did.String(), Version: 3, Rev: l.msg.Rev, Data: other.cid}
			must(l.t, commit.Sign(l.key))
			forged := repo.Commit{DID: l.did.String(), Version: 3, Rev: l.msg.Rev, Data: l.data, Sig: commit.Sig}
			l.placeCommit(forged)
		}, reposync.DropSignature},
		{"a signature that is none", func(l *lied) {
			l.placeCommit(repo.Commit{DID: l.did.String(), Version: 3, Rev: l.msg.Rev, Data: l.data, Sig: []byte{1}})
		}, reposync.DropSignature},
		{"no signature", func(l *lied) {
			l.placeCommit(repo.Commit{DID: l.did.String(), Version: 3, Rev: l.msg.Rev, Data: l.data})
		}, reposync.DropBadCAR},

		// The operations.
		{"a null operation", func(l *lied) { l.msg.Ops = append(l.msg.Ops, nil) }, reposync.DropOperation},
		{"an unknown action", func(l *lied) { l.msg.Ops[0].Action = "replace" }, reposync.DropOperation},
		{"a path without a key", func(l *lied) { l.msg.Ops[2].Path = "fund.stratos.feature.proposal" }, reposync.DropSyntax},
		{"a path whose collection is none", func(l *lied) { l.msg.Ops[2].Path = "proposal/c" }, reposync.DropSyntax},
		{"an empty path", func(l *lied) { l.msg.Ops[2].Path = "" }, reposync.DropSyntax},
		{"a path twice", func(l *lied) { l.msg.Ops = append(l.msg.Ops, l.msg.Ops[2]) }, reposync.DropOperation},
		{"a CID that the tree does not hold", func(l *lied) { l.msg.Ops[2].Cid = link(other.cid) }, reposync.DropOperation},
		{"the CID of another record", func(l *lied) { l.msg.Ops[2].Cid = link(l.a) }, reposync.DropOperation},
		{"a created record that is not there", func(l *lied) { l.msg.Ops[2].Path = ours + "d" }, reposync.DropOperation},
		{"a create that was an update", func(l *lied) { l.msg.Ops[0].Action, l.msg.Ops[0].Prev = "create", nil }, reposync.DropPrevData},
		{"an update that was a create", func(l *lied) {
			l.msg.Ops[2].Action, l.msg.Ops[2].Prev = "update", link(other.cid)
		}, reposync.DropPrevData},
		{"a create that says what it replaced", func(l *lied) { l.msg.Ops[0].Action = "create" }, reposync.DropOperation},
		{"an update of another record than was there", func(l *lied) { l.msg.Ops[0].Prev = link(other.cid) }, reposync.DropPrevData},
		{"an update to the same record", func(l *lied) { l.msg.Ops[0].Prev = l.msg.Ops[0].Cid }, reposync.DropOperation},
		{"an update to nothing", func(l *lied) { l.msg.Ops[1].Action = "update" }, reposync.DropOperation},
		{"a delete that brings a record", func(l *lied) { l.msg.Ops[0].Action = "delete" }, reposync.DropOperation},
		{"an update that does not say what it replaced", func(l *lied) { l.msg.Ops[0].Prev = nil }, reposync.DropMissingPrev},
		{"a delete that does not say what was there", func(l *lied) { l.msg.Ops[1].Prev = nil }, reposync.DropMissingPrev},
		{"a forged delete that does not say what was there", func(l *lied) {
			l.msg.Ops = append(l.msg.Ops, &comatproto.SyncSubscribeRepos_RepoOp{Action: "delete", Path: ours + "z"})
		}, reposync.DropMissingPrev},
		{"a delete of what never was", func(l *lied) {
			l.msg.Ops = append(l.msg.Ops, &comatproto.SyncSubscribeRepos_RepoOp{Action: "delete", Path: ours + "z", Prev: link(other.cid)})
		}, reposync.DropPrevData},
		{"a delete of what is still there", func(l *lied) {
			l.msg.Ops = append(l.msg.Ops, &comatproto.SyncSubscribeRepos_RepoOp{Action: "delete", Path: foreign + "f", Prev: link(l.oldA)})
		}, reposync.DropOperation},
		{"a delete of another record than was there", func(l *lied) { l.msg.Ops[1].Prev = link(other.cid) }, reposync.DropPrevData},
		{"an operation left out", func(l *lied) { l.msg.Ops = l.msg.Ops[1:] }, reposync.DropPrevData},
		{"all operations left out", func(l *lied) { l.msg.Ops = nil }, reposync.DropPrevData},

		// The state before.
		{"another tree before", func(l *lied) { l.msg.PrevData = link(other.cid) }, reposync.DropPrevData},
		{"this tree before", func(l *lied) { l.msg.PrevData = link(l.data) }, reposync.DropPrevData},
		{"no tree before", func(l *lied) { l.msg.PrevData = nil }, reposync.DropPrevData},

		// CIDs of other kinds in the account's own tree.
		{"a record's CID of another codec", func(l *lied) {
			raw := []byte{0xa0}
			c, err := cid.NewPrefixV1(cid.Raw, multihash.SHA2_256).Sum(raw)
			must(l.t, err)
			l.recordAs(c, raw)
		}, reposync.DropBadCAR},
		{"a record's CID of another hash", func(l *lied) {
			raw := []byte{0xa0}
			c, err := cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_512).Sum(raw)
			must(l.t, err)
			l.recordAs(c, raw)
		}, reposync.DropBadCAR},
		{"a record's CID cut short", func(l *lied) {
			raw := []byte{0xa0}
			c, err := cid.Prefix{Version: 1, Codec: cid.DagCBOR, MhType: multihash.SHA2_256, MhLength: 4}.Sum(raw)
			must(l.t, err)
			l.recordAs(c, raw)
		}, reposync.DropBadCAR},
		{"a record in its own CID", func(l *lied) {
			raw := []byte{0xa0}
			c, err := cid.NewPrefixV1(cid.DagCBOR, multihash.IDENTITY).Sum(raw)
			must(l.t, err)
			l.recordAs(c, raw)
		}, reposync.DropBadCAR},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLied(t)
			keys := keysOf(l.testRepo)
			if _, err := reposync.VerifyCommit(t.Context(), keys, l.msg, wantAll, now); err != nil {
				t.Fatalf("the message is dropped before the lie: %v", err)
			}
			tt.lie(l)
			got, err := reposync.VerifyCommit(t.Context(), keys, l.msg, wantAll, now)
			mustDrop(t, err, tt.want)
			if got != nil {
				t.Errorf("got %+v beside the error", got)
			}
		})
	}
}

func (l *lied) placeCommit(commit repo.Commit) {
	l.t.Helper()
	var buf strings.Builder
	must(l.t, commit.MarshalCBOR(&buf))
	forged := blockOf(l.t, []byte(buf.String()))
	_, all := readBlocks(l.t, l.msg.Blocks)
	all[0] = forged
	l.msg.Commit = util.LexLink(forged.cid)
	l.msg.Blocks = makeCAR(l.t, []cid.Cid{forged.cid}, all...)
}

func mustDrop(t testing.TB, err error, want reposync.DropReason) {
	t.Helper()
	dropped, ok := errors.AsType[*reposync.DropError](err)
	if !ok || dropped.Reason != want {
		t.Fatalf("got %v, want it dropped as %s", err, want)
	}
	if !slices.Contains(reposync.DropReasons(), dropped.Reason) {
		t.Errorf("reason %s is not listed", dropped.Reason)
	}
}

// Every node that a commit changed is needed to prove it.
func TestVerifyCommit_DropsACommitWithoutOneOfItsNodes(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	var edits []edit
	for i := range 200 {
		edits = append(edits, put(ours+syntax.NewTIDFromInteger(uint64(i*7919)).String(), "x"))
	}
	r.apply(edits...)
	msg := r.apply(put(edits[50].path, "y"))
	whole := msg.Blocks
	_, all := readBlocks(t, whole)
	if len(all) < 4 {
		t.Fatalf("the tree is too flat for this test: %d blocks", len(all))
	}
	for _, b := range all[1:] {
		msg.Blocks = without(t, whole, b.cid)
		_, err := reposync.VerifyCommit(t.Context(), keysOf(r), msg, wantAll, now)
		mustDrop(t, err, reposync.DropBadCAR)
	}
}

func TestVerifyCommit_DropsEveryTruncation(t *testing.T) {
	t.Parallel()
	l := newLied(t)
	keys, whole := keysOf(l.testRepo), l.msg.Blocks
	for n := range whole {
		l.msg.Blocks = whole[:n]
		_, err := reposync.VerifyCommit(t.Context(), keys, l.msg, wantAll, now)
		mustDrop(t, err, reposync.DropBadCAR)
	}
}

// Whatever an account does, its commits are believed, lead from one to the
// next, and are what the reference implementation believes as well.
func TestVerifyCommit_FollowsAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := newTestRepo(t, "did:plc:alice")
		keys := keysOf(r)
		state := map[string]string{} // the model: what the repository holds
		believed := map[string]string{}
		var data cid.Cid
		for range rapid.IntRange(1, 8).Draw(rt, "commits") {
			var edits []edit
			touched := map[string]bool{}
			for range rapid.IntRange(0, 30).Draw(rt, "operations") {
				path := rapid.SampledFrom([]string{ours, foreign}).Draw(rt, "collection") +
					syntax.NewTIDFromInteger(rapid.Uint64Range(0, 200).Draw(rt, "rkey")).String()
				text := rapid.StringN(0, 3, -1).Draw(rt, "text")
				old, exists := state[path]
				switch {
				case touched[path] || exists && old == text:
					continue
				case exists && rapid.Bool().Draw(rt, "delete"):
					edits = append(edits, del(path))
					delete(state, path)
				default:
					edits = append(edits, put(path, text))
					state[path] = text
				}
				touched[path] = true
			}
			msg := r.apply(edits...)
			got, err := reposync.VerifyCommit(t.Context(), keys, msg, wantAll, now)
			if err != nil {
				rt.Fatalf("an honest commit: %v", err)
			}
			if data.Defined() && !got.PrevData.Equals(data) {
				rt.Fatalf("leads from %s, but the commit before led to %s", got.PrevData, data)
			}
			data = got.Data
			for _, op := range opsSeen(t, got.Ops) {
				if op.Action == "delete" {
					delete(believed, op.Path)
				} else {
					believed[op.Path] = op.Text
				}
			}
			if diff := cmp.Diff(state, believed); diff != "" {
				rt.Fatalf("what the commits say (-model +got):\n%s", diff)
			}
			mustAgree(t, r, msg)
		}
		snapshot, err := verifySnapshot(t.Context(), keys, r.did, r.snapshot(), wantAll, now)
		if err != nil {
			rt.Fatalf("an honest repository: %v", err)
		}
		if diff := cmp.Diff(state, recordsSeen(t, snapshot)); diff != "" {
			rt.Fatalf("what the repository says (-model +got):\n%s", diff)
		}
	})
}
