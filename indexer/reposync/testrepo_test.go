package reposync_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/lex/util"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	blockstore "github.com/ipfs/go-ipfs-blockstore"
	"github.com/ipld/go-car"
	carutil "github.com/ipld/go-car/util"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

const (
	ours    = "fund.stratos.feature.proposal/"
	foreign = "app.bsky.feed.post/"
)

var (
	began = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	now   = began.Add(time.Hour)

	repoCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)
)

func wantOurs(c syntax.NSID) bool { return c == "fund.stratos.feature.proposal" }
func wantAll(syntax.NSID) bool    { return true }

// testRepo is an account with a key and a repository, and what a PDS does with
// them: apply operations, sign, say so.
type testRepo struct {
	t      testing.TB
	did    syntax.DID
	key    atcrypto.PrivateKey
	tree   mst.Tree
	data   cid.Cid
	store  map[cid.Cid][]byte // every record and node there ever was
	rev    syntax.TID
	commit block
	first  bool // no commit yet
	revs   int
}

type block struct {
	cid  cid.Cid
	data []byte
}

// edit writes value at path, or deletes the record when value is nil.
type edit struct {
	path  string
	value map[string]any
}

func put(path, text string) edit { return edit{path, map[string]any{"text": text}} }
func del(path string) edit       { return edit{path: path} }

func newTestRepo(t testing.TB, did syntax.DID) *testRepo {
	t.Helper()
	empty := mst.NewEmptyTree()
	return &testRepo{t: t, did: did, key: newKey(t), tree: empty, store: map[cid.Cid][]byte{}, first: true}
}

func newKey(t testing.TB) atcrypto.PrivateKey {
	t.Helper()
	key, err := atcrypto.GeneratePrivateKeyK256()
	must(t, err)
	return key
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func encode(t testing.TB, value map[string]any) block {
	t.Helper()
	raw, err := atdata.MarshalCBOR(value)
	must(t, err)
	return blockOf(t, raw)
}

func blockOf(t testing.TB, raw []byte) block {
	t.Helper()
	c, err := repoCID.Sum(raw)
	must(t, err)
	return block{c, raw}
}

// apply makes one commit of the edits and returns the message that a PDS sends.
func (r *testRepo) apply(edits ...edit) *comatproto.SyncSubscribeRepos_Commit {
	r.t.Helper()
	ctx := context.Background()
	var changed []block
	var ops []*comatproto.SyncSubscribeRepos_RepoOp
	for _, e := range edits {
		var value *cid.Cid
		if e.value != nil {
			record := encode(r.t, e.value)
			changed = append(changed, record)
			value = &record.cid
		}
		op, err := repo.ApplyOp(&r.tree, e.path, value)
		must(r.t, err)
		if r.tree.IsEmpty() {
			r.tree = mst.NewEmptyTree() // the library keeps a height that an empty tree has not
		}
		ops = append(ops, claim(op))
	}
	//lint:ignore SA1019 indigo takes this interface, and the package that replaces it is large
	bs := blockstore.NewBlockstore(datastore.NewMapDatastore())
	data, err := r.tree.WriteDiffBlocks(ctx, bs)
	must(r.t, err)
	keys, err := bs.AllKeysChan(ctx)
	must(r.t, err)
	for key := range keys {
		node, err := bs.Get(ctx, cid.NewCidV1(cid.DagCBOR, key.Hash()))
		must(r.t, err)
		changed = append(changed, block{cid.NewCidV1(cid.DagCBOR, key.Hash()), node.RawData()})
	}
	for _, b := range changed {
		r.store[b.cid] = b.data
	}

	r.revs++
	r.rev = syntax.NewTIDFromTime(began.Add(time.Duration(r.revs)*time.Second), 0)
	msg := &comatproto.SyncSubscribeRepos_Commit{
		Seq: int64(r.revs), Repo: r.did.String(), Rev: r.rev.String(), Time: began.Format(syntax.AtprotoDatetimeLayout), Ops: ops,
	}
	if !r.first {
		msg.PrevData = link(r.data)
	}
	r.first, r.data = false, *data
	r.seal(msg, repo.Commit{DID: r.did.String(), Version: repo.ATPROTO_REPO_VERSION, Rev: r.rev.String(), Data: r.data}, changed...)
	return msg
}

// seal signs the commit and puts it, with the blocks, into the message.
func (r *testRepo) seal(msg *comatproto.SyncSubscribeRepos_Commit, commit repo.Commit, changed ...block) {
	r.t.Helper()
	r.commit = sign(r.t, commit, r.key)
	msg.Commit = util.LexLink(r.commit.cid)
	msg.Blocks = makeCAR(r.t, []cid.Cid{r.commit.cid}, append([]block{r.commit}, changed...)...)
}

// snapshot is the whole repository, as getRepo gives it.
func (r *testRepo) snapshot() []byte {
	r.t.Helper()
	all := []block{r.commit}
	var visit func(n *mst.Node)
	visit = func(n *mst.Node) {
		all = append(all, block{*n.CID, r.store[*n.CID]})
		for _, e := range n.Entries {
			if e.Value != nil {
				all = append(all, block{*e.Value, r.store[*e.Value]})
			}
			if e.Child != nil {
				visit(e.Child)
			}
		}
	}
	if _, err := r.tree.RootCID(); err != nil {
		r.t.Fatal(err)
	}
	visit(r.tree.Root)
	return makeCAR(r.t, []cid.Cid{r.commit.cid}, all...)
}

func sign(t testing.TB, commit repo.Commit, key atcrypto.PrivateKey) block {
	t.Helper()
	must(t, commit.Sign(key))
	var buf bytes.Buffer
	must(t, commit.MarshalCBOR(&buf))
	return blockOf(t, buf.Bytes())
}

func makeCAR(t testing.TB, roots []cid.Cid, all ...block) []byte {
	t.Helper()
	var buf bytes.Buffer
	must(t, car.WriteHeader(&car.CarHeader{Roots: roots, Version: 1}, &buf))
	for _, b := range all {
		must(t, carutil.LdWrite(&buf, b.cid.Bytes(), b.data))
	}
	return buf.Bytes()
}

// readBlocks takes a CAR file apart, unchecked.
func readBlocks(t testing.TB, raw []byte) (roots []cid.Cid, all []block) {
	t.Helper()
	reader, err := car.NewCarReader(bytes.NewReader(raw))
	must(t, err)
	for {
		b, err := reader.Next()
		if err != nil {
			return reader.Header.Roots, all
		}
		all = append(all, block{b.Cid(), b.RawData()})
	}
}

// without leaves blocks out of the message's CAR.
func without(t testing.TB, raw []byte, gone ...cid.Cid) []byte {
	t.Helper()
	roots, all := readBlocks(t, raw)
	kept := slices.DeleteFunc(slices.Clone(all), func(b block) bool { return slices.Contains(gone, b.cid) })
	if len(kept) != len(all)-len(gone) {
		t.Fatalf("the CAR does not hold all of %v", gone)
	}
	return makeCAR(t, roots, kept...)
}

// with puts other blocks in front of those of the message's CAR.
func with(t testing.TB, raw []byte, more ...block) []byte {
	t.Helper()
	roots, all := readBlocks(t, raw)
	return makeCAR(t, roots, append(more, all...)...)
}

func claim(op *repo.Operation) *comatproto.SyncSubscribeRepos_RepoOp {
	out := &comatproto.SyncSubscribeRepos_RepoOp{Path: op.Path, Cid: (*util.LexLink)(op.Value), Prev: (*util.LexLink)(op.Prev)}
	switch {
	case op.Value == nil:
		out.Action = "delete"
	case op.Prev == nil:
		out.Action = "create"
	default:
		out.Action = "update"
	}
	return out
}

func link(c cid.Cid) *util.LexLink { return (*util.LexLink)(&c) }

// directory answers from documents that tests set. Like a caching directory it
// keeps what it once said until it is told to forget, and it counts look-ups
// that a cache could not answer.
type directory struct {
	identity.Directory // the methods that nobody calls

	mu      sync.Mutex
	current *identity.MockDirectory
	cached  map[syntax.DID]*identity.Identity
	lookups int
	purge   error
}

func newDirectory(repos ...*testRepo) *directory {
	d := &directory{current: identity.NewMockDirectory(), cached: map[syntax.DID]*identity.Identity{}}
	for _, r := range repos {
		d.publish(r.t, r.did, r.key)
	}
	return d
}

func (d *directory) publish(t testing.TB, did syntax.DID, key atcrypto.PrivateKey) {
	t.Helper()
	pub, err := key.PublicKey()
	must(t, err)
	d.current.Insert(identity.Identity{DID: did, Handle: syntax.HandleInvalid, Keys: map[string]identity.VerificationMethod{
		"atproto": {Type: "Multikey", PublicKeyMultibase: pub.Multibase()},
	}})
}

func (d *directory) LookupDID(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ident := d.cached[did]; ident != nil {
		return ident, nil
	}
	d.lookups++
	ident, err := d.current.LookupDID(ctx, did)
	if err == nil {
		d.cached[did] = ident
	}
	return ident, err
}

func (d *directory) Purge(_ context.Context, a syntax.AtIdentifier) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if did, err := a.AsDID(); err == nil {
		delete(d.cached, did)
	}
	return d.purge
}

func (d *directory) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lookups
}

func keysOf(repos ...*testRepo) *reposync.Keys {
	return reposync.NewKeys(newDirectory(repos...), time.Minute)
}

var _ identity.Directory = (*directory)(nil)
