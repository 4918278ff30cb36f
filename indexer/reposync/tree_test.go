package reposync_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// treeBuilder makes nodes that no library would.
type treeBuilder struct {
	t     testing.TB
	nodes []block
	value cid.Cid // of every record
}

func newTreeBuilder(t testing.TB) *treeBuilder {
	t.Helper()
	record := encode(t, map[string]any{"text": "x"})
	return &treeBuilder{t: t, nodes: []block{record}, value: record.cid}
}

func (b *treeBuilder) node(left *cid.Cid, entries ...mst.EntryData) *cid.Cid {
	b.t.Helper()
	data := mst.NodeData{Left: left, Entries: entries}
	if data.Entries == nil {
		data.Entries = []mst.EntryData{}
	}
	raw, c, err := data.Bytes()
	must(b.t, err)
	b.nodes = append(b.nodes, block{*c, raw})
	return c
}

func (b *treeBuilder) entry(prefix int64, suffix string, right *cid.Cid) mst.EntryData {
	return mst.EntryData{PrefixLen: prefix, KeySuffix: []byte(suffix), Value: b.value, Right: right}
}

// message lets the account sign the tree as its first commit, with an operation
// that makes a reader look into it.
func (b *treeBuilder) message(r *testRepo, root cid.Cid) *comatproto.SyncSubscribeRepos_Commit {
	b.t.Helper()
	r.rev = syntax.NewTIDFromTime(began, 0)
	r.data = root
	msg := &comatproto.SyncSubscribeRepos_Commit{
		Repo: r.did.String(), Rev: r.rev.String(), Time: began.Format(syntax.AtprotoDatetimeLayout), Ops: []*comatproto.SyncSubscribeRepos_RepoOp{
			{Action: "create", Path: keyAt(0, 0), Cid: link(b.value)},
		},
	}
	r.seal(msg, repo.Commit{DID: r.did.String(), Version: repo.ATPROTO_REPO_VERSION, Rev: msg.Rev, Data: root}, b.nodes...)
	return msg
}

// keyAt is the nth path whose level in the tree is the given one.
func keyAt(level, n int) string {
	for i := 0; ; i++ {
		key := fmt.Sprintf("%s%07d", ours, i)
		if mst.HeightForKey([]byte(key)) != level {
			continue
		}
		if n == 0 {
			return key
		}
		n--
	}
}

// The library that loads trees trusts their shape. None of these may reach it.
func TestTree_HostileShapesAreDropped(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		build func(b *treeBuilder) *cid.Cid
	}{
		{"a key that shares more than there is", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(5, keyAt(0, 0), nil))
		}},
		{"a second key that shares more than there is", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(0, 0), nil), b.entry(2000, "x", nil))
		}},
		{"a key that shares less than nothing", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(-1, keyAt(0, 0), nil))
		}},
		{"a key that shares more than can be counted", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(0, 0), nil), b.entry(1<<62, "x", nil))
		}},
		{"an empty key", func(b *treeBuilder) *cid.Cid { return b.node(nil, b.entry(0, "", nil)) }},
		{"an empty key between two children", func(b *treeBuilder) *cid.Cid {
			left := b.node(nil, b.entry(0, keyAt(0, 0), nil))
			right := b.node(nil, b.entry(0, keyAt(0, 1), nil))
			return b.node(left, b.entry(0, "", right))
		}},
		{"a key that is too long", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, strings.Repeat("k", mst.MAX_KEY_BYTES+1), nil))
		}},
		{"the same key twice", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(0, 0), nil), b.entry(int64(len(keyAt(0, 0))), "", nil))
		}},
		{"keys out of order", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(0, 1), nil), b.entry(0, keyAt(0, 0), nil))
		}},
		{"keys out of order between nodes", func(b *treeBuilder) *cid.Cid {
			return b.node(b.node(nil, b.entry(0, keyAt(0, 99), nil)), b.entry(0, keyAt(1, 0), nil))
		}},
		{"a key on a level above its own", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(1, 0), nil), b.entry(0, keyAt(0, 99), nil))
		}},
		{"a node on a level above its own", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(2, 0), b.node(nil, b.entry(0, keyAt(0, 999), nil))))
		}},
		{"a node below the lowest level", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(0, 0), b.node(nil, b.entry(0, keyAt(0, 1), nil))))
		}},
		{"a missing node below the lowest level", func(b *treeBuilder) *cid.Cid {
			return b.node(nil, b.entry(0, keyAt(0, 0), &b.value))
		}},
		{"an empty node", func(b *treeBuilder) *cid.Cid {
			return b.node(b.node(nil), b.entry(0, keyAt(1, 0), nil))
		}},
		{"a root that is only a pointer", func(b *treeBuilder) *cid.Cid {
			return b.node(b.node(nil, b.entry(0, keyAt(0, 0), nil)))
		}},
		{"a record in the place of a node", func(b *treeBuilder) *cid.Cid {
			return b.node(&b.value, b.entry(0, keyAt(1, 0), nil))
		}},
		{"a record in the place of the root", func(b *treeBuilder) *cid.Cid { return &b.value }},
		{"a node in two places", func(b *treeBuilder) *cid.Cid {
			child := b.node(nil, b.entry(0, keyAt(0, 0), nil))
			return b.node(child, b.entry(0, keyAt(1, 0), child))
		}},
		// Read at each place that names it, the lowest node would be read 2^100 times.
		{"nodes in two places each, a hundred levels deep", func(b *treeBuilder) *cid.Cid {
			node := b.node(nil, b.entry(0, keyAt(0, 0), nil))
			for range 100 {
				node = b.node(node, b.entry(0, keyAt(1, 0), node))
			}
			return node
		}},
		{"pointers to pointers, as deep as the file allows", func(b *treeBuilder) *cid.Cid {
			node := b.node(nil, b.entry(0, keyAt(0, 0), nil))
			for range 15_000 {
				node = b.node(node)
			}
			return b.node(node, b.entry(0, keyAt(4, 0), nil))
		}},
		// Eight thousand keys of a thousand bytes in some hundred kilobytes.
		{"keys much larger than the file", func(b *treeBuilder) *cid.Cid {
			var entries []mst.EntryData
			last := ""
			for i := 0; len(entries) < 8000; i++ {
				key := fmt.Sprintf("%s%s%07d", ours, strings.Repeat("k", 900), i)
				if mst.HeightForKey([]byte(key)) == 0 {
					prefix := mst.CountPrefixLen([]byte(last), []byte(key))
					entries = append(entries, b.entry(int64(prefix), key[prefix:], nil))
					last = key
				}
			}
			return b.node(nil, entries...)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, r := newTreeBuilder(t), newTestRepo(t, "did:plc:mallory")
			msg := b.message(r, *tt.build(b))
			if len(msg.Blocks) > reposync.MaxBlocks {
				t.Fatalf("%d bytes do not fit into a message", len(msg.Blocks))
			}
			_, err := reposync.VerifyCommit(t.Context(), keysOf(r), msg, wantAll, now)
			mustDrop(t, err, reposync.DropBadCAR)
			// A snapshot is read key by key, so a key that is none is seen
			// before the sum of them is.
			_, err = verifySnapshot(t.Context(), keysOf(r), r.did, msg.Blocks, wantAll, now)
			if dropped, ok := errors.AsType[*reposync.DropError](err); !ok || dropped.Reason != reposync.DropSyntax {
				mustDrop(t, err, reposync.DropBadCAR)
			}
		})
	}
}

// A tree that somebody built by hand and that keeps the rules is believed.
func TestTree_ValidShapesAreBelieved(t *testing.T) {
	t.Parallel()
	b, r := newTreeBuilder(t), newTestRepo(t, "did:plc:alice")
	keys := []string{keyAt(0, 0), keyAt(1, 3), keyAt(0, 50)}
	if !slices.IsSorted(keys) {
		t.Fatalf("the keys are not as the test wants them: %v", keys)
	}
	left, right := b.node(nil, b.entry(0, keys[0], nil)), b.node(nil, b.entry(0, keys[2], nil))
	root := b.node(left, b.entry(0, keys[1], right))
	snapshot, err := verifySnapshot(t.Context(), keysOf(r), r.did, b.message(r, *root).Blocks, wantAll, now)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rec := range snapshot.Records {
		got = append(got, rec.Collection.String()+"/"+rec.RKey.String())
	}
	if !slices.Equal(got, keys) {
		t.Errorf("got %v, want %v", got, keys)
	}
}

// hostileTree reads a tree out of a fuzzer's bytes: keys, links and levels as
// they come, links to nodes that are there, are not there, or were used before.
type hostileTree struct {
	*treeBuilder
	input []byte
	made  []*cid.Cid
}

func (h *hostileTree) byte() byte {
	if len(h.input) == 0 {
		return 0
	}
	b := h.input[0]
	h.input = h.input[1:]
	return b
}

func (h *hostileTree) child(depth int) *cid.Cid {
	switch b := h.byte(); {
	case b%4 == 0 || depth == 0:
		return nil
	case b%16 == 1:
		missing := blockOf(h.t, []byte{b}).cid
		return &missing
	case b%16 == 2 && len(h.made) > 0:
		return h.made[int(b)%len(h.made)]
	default:
		return h.make(depth - 1)
	}
}

func (h *hostileTree) make(depth int) *cid.Cid {
	left := h.child(depth)
	var entries []mst.EntryData
	var last string
	for range h.byte() % 5 {
		switch b := h.byte(); {
		case b < 200: // an honest key, at the level that the node should have
			key := keyAt(min(depth, 2), int(b%32))
			prefix := mst.CountPrefixLen([]byte(last), []byte(key))
			entries = append(entries, h.entry(int64(prefix), key[prefix:], h.child(depth)))
			last = key
		default:
			suffix := h.input[:min(len(h.input), int(b%7))]
			h.input = h.input[len(suffix):]
			entries = append(entries, h.entry(int64(int8(h.byte())), string(suffix), h.child(depth)))
		}
	}
	node := h.node(left, entries...)
	h.made = append(h.made, node)
	return node
}

// FuzzSignedTree lets an account sign any tree and say anything about it.
func FuzzSignedTree(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 0, 0})
	f.Add([]byte{3, 0, 1, 5, 0, 2, 7, 0, 9, 3, 0, 1, 4, 0, 1, 0, 2, 1})
	f.Add(bytes.Repeat([]byte{3, 2, 1, 4, 17, 5}, 20))
	f.Add([]byte{0, 1, 255, 'a', 5, 0})
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > 512 {
			return
		}
		h := &hostileTree{treeBuilder: newTreeBuilder(t), input: input}
		r := newTestRepo(t, "did:plc:mallory")
		root := h.make(2)
		msg := h.message(r, *root)
		msg.Ops = msg.Ops[:0]
		for range h.byte() % 6 {
			b := h.byte()
			op := &comatproto.SyncSubscribeRepos_RepoOp{Path: keyAt(int(b>>5)%3, int(b%32)), Action: "create"}
			switch h.byte() % 3 {
			case 0:
				op.Cid = link(h.value)
			case 1:
				op.Action, op.Prev = "delete", link(h.value)
			case 2:
				op.Action, op.Cid, op.Prev = "update", link(h.value), link(*root)
			}
			msg.Ops = append(msg.Ops, op)
		}
		if b := h.byte(); b%2 == 0 && len(h.made) > 0 {
			msg.PrevData = link(*h.made[int(b)%len(h.made)])
		}
		checkVerified(t, r, msg)
		if snapshot, err := verifySnapshot(t.Context(), keysOf(r), r.did, msg.Blocks, wantAll, now); err == nil {
			recordsSeen(t, snapshot)
		}
	})
}

// checkVerified verifies a message that may be anything, and checks what must
// hold of whatever is believed.
func checkVerified(t testing.TB, r *testRepo, msg *comatproto.SyncSubscribeRepos_Commit) {
	t.Helper()
	got, err := reposync.VerifyCommit(t.Context(), keysOf(r), msg, wantAll, now)
	if err != nil {
		return
	}
	opsSeen(t, got.Ops)
	mustAgree(t, r, msg)
}

// FuzzVerifyCommit changes the CAR file of honest messages.
func FuzzVerifyCommit(f *testing.F) {
	r := newTestRepo(f, "did:plc:alice")
	first := r.apply(put(ours+"a", "1"), put(foreign+"b", "1"), put(ours+"c", "1"))
	second := r.apply(put(ours+"a", "2"), del(ours+"c"), put(ours+"d", "1"))
	empty := r.apply()
	messages := []*comatproto.SyncSubscribeRepos_Commit{first, second, empty}
	for i, msg := range messages {
		f.Add(uint8(i), []byte(msg.Blocks))
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		r := *r
		r.t = t
		msg := *messages[int(which)%len(messages)]
		msg.Blocks = raw
		checkVerified(t, &r, &msg)
		if snapshot, err := verifySnapshot(t.Context(), keysOf(&r), r.did, raw, wantAll, now); err == nil {
			recordsSeen(t, snapshot)
		}
		sync := &comatproto.SyncSubscribeRepos_Sync{Did: msg.Repo, Rev: msg.Rev, Blocks: raw}
		if commit, err := reposync.VerifySync(t.Context(), keysOf(&r), sync, now); err == nil && commit.DID != r.did {
			t.Errorf("a sync of %s, signed by %s", commit.DID, r.did)
		}
	})
}
