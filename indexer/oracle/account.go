package oracle

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/lex/util"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	blockstore "github.com/ipfs/go-ipfs-blockstore"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// contents are the records of a repository by their path.
type contents map[string]entry

// state is a repository at one rev.
type state struct {
	data    cid.Cid
	records contents
}

// account is somebody with a repository, and what a PDS does with it: apply
// operations, sign, keep every state it ever signed. It belongs to whoever
// holds the network's lock.
type account struct {
	did    syntax.DID
	handle syntax.Handle
	// proven: the handle points back to the account.
	proven bool
	key    *atcrypto.PrivateKeyK256
	host   *pds
	status store.AccountStatus
	// changes counts those of the status.
	changes int
	ours    bool // had a record of our collections, now or once
	rekeyed bool // has another key than at first
	// late is in how many questions about the status from now the PDS takes its
	// time.
	late int
	// slandered: somebody who may speak of the account said that it is hidden,
	// or the PDS that it left did when an index had read the old document.
	slandered bool
	// owed is a rev that an index must find because it knows that it lost track.
	owed syntax.TID
	// excused is the newest rev for which the PDS gave out an older one: who
	// knew only that something happened may have taken that for it.
	excused syntax.TID

	tree    mst.Tree
	blocks  map[cid.Cid][]byte // every record and node there ever was
	records contents
	rev     syntax.TID
	data    cid.Cid
	commit  block
	// history is the truth that an index may hold: the state at each rev that
	// was ever signed.
	history map[syntax.TID]state
	// older is the repository as it was some commits ago, for a PDS that
	// answers from a stale copy.
	older []byte
}

// edit writes an entry, or deletes the record at its path when value is nil.
type edit struct{ entry }

func newAccount(did syntax.DID, handle syntax.Handle, key *atcrypto.PrivateKeyK256, host *pds) *account {
	return &account{
		did: did, handle: handle, proven: true, key: key, host: host, status: store.AccountActive,
		tree: mst.NewEmptyTree(), blocks: map[cid.Cid][]byte{}, records: contents{}, history: map[syntax.TID]state{},
	}
}

// apply makes one commit of the edits, and the message about it. Edits that
// would change nothing are left out.
func (a *account) apply(now time.Time, edits ...edit) (*comatproto.SyncSubscribeRepos_Commit, error) {
	before, since, first := a.data, a.rev, a.rev == ""
	records := maps.Clone(a.records)
	var changed []block
	ops := []*comatproto.SyncSubscribeRepos_RepoOp{}
	for _, e := range edits {
		old, there := records[e.path]
		if e.value == nil && !there || e.value != nil && there && old.cid == e.cid {
			continue
		}
		var value *cid.Cid
		if e.value != nil {
			changed = append(changed, block{e.cid, e.value})
			records[e.path], value = e.entry, &e.cid
			a.ours = a.ours || e.ours()
		} else {
			delete(records, e.path)
		}
		op, err := repo.ApplyOp(&a.tree, e.path, value)
		if err != nil {
			return nil, fmt.Errorf("oracle: apply %s: %w", e.path, err)
		}
		if a.tree.IsEmpty() {
			a.tree = mst.NewEmptyTree() // the library keeps a height that an empty tree has not
		}
		ops = append(ops, claim(op))
	}
	nodes, err := a.writeTree()
	if err != nil {
		return nil, err
	}
	changed = append(changed, nodes...)
	for _, b := range changed {
		a.blocks[b.cid] = b.data
	}
	a.records = records
	if err := a.sign(now); err != nil {
		return nil, err
	}
	msg := &comatproto.SyncSubscribeRepos_Commit{
		Repo: a.did.String(), Rev: a.rev.String(), Time: stamp(now), Ops: ops, Blobs: []util.LexLink{},
		Commit: util.LexLink(a.commit.cid), Blocks: makeCAR(a.commit.cid, append([]block{a.commit}, changed...)...),
	}
	if !first {
		msg.PrevData, msg.Since = link(before), new(since.String())
	}
	return msg, nil
}

// writeTree returns the nodes that changed, and sets data to the root.
func (a *account) writeTree() ([]block, error) {
	ctx := context.Background()
	//lint:ignore SA1019 indigo takes this interface, and the package that replaces it is large
	bs := blockstore.NewBlockstore(datastore.NewMapDatastore())
	root, err := a.tree.WriteDiffBlocks(ctx, bs)
	if err != nil {
		return nil, fmt.Errorf("oracle: write the tree of %s: %w", a.did, err)
	}
	keys, err := bs.AllKeysChan(ctx)
	if err != nil {
		return nil, fmt.Errorf("oracle: list the nodes of %s: %w", a.did, err)
	}
	var nodes []block
	for key := range keys {
		c := cid.NewCidV1(cid.DagCBOR, key.Hash())
		node, err := bs.Get(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("oracle: read a node of %s: %w", a.did, err)
		}
		nodes = append(nodes, block{c, node.RawData()})
	}
	a.data = *root
	return nodes, nil
}

// sign moves the repository to a new rev, signed with the account's key.
func (a *account) sign(now time.Time) error {
	micros := now.UnixMicro()
	if a.rev != "" {
		micros = max(micros, a.rev.Time().UnixMicro()+1)
	}
	a.rev = syntax.NewTID(micros, 0)
	commit, err := signed(repo.Commit{DID: a.did.String(), Version: repo.ATPROTO_REPO_VERSION, Rev: a.rev.String(), Data: a.data}, a.key)
	if err != nil {
		return err
	}
	a.commit = commit
	a.history[a.rev] = state{a.data, a.records}
	return nil
}

func signed(commit repo.Commit, key atcrypto.PrivateKey) (block, error) {
	if err := commit.Sign(key); err != nil {
		return block{}, fmt.Errorf("oracle: sign a commit of %s: %w", commit.DID, err)
	}
	var buf bytes.Buffer
	if err := commit.MarshalCBOR(&buf); err != nil {
		return block{}, fmt.Errorf("oracle: encode a commit of %s: %w", commit.DID, err)
	}
	return blockOf(buf.Bytes()), nil
}

// sync is the message that says where the repository is, without what led there.
func (a *account) sync(now time.Time) *comatproto.SyncSubscribeRepos_Sync {
	return &comatproto.SyncSubscribeRepos_Sync{
		Did: a.did.String(), Rev: a.rev.String(), Time: stamp(now), Blocks: makeCAR(a.commit.cid, a.commit),
	}
}

// snapshot lists the blocks of the whole repository, the commit first.
func (a *account) snapshot() []block {
	all := []block{a.commit}
	if _, err := a.tree.RootCID(); err != nil { // it also gives each node its CID
		panic(err) // only a partial tree has none
	}
	var visit func(n *mst.Node)
	visit = func(n *mst.Node) {
		all = append(all, block{*n.CID, a.blocks[*n.CID]})
		for _, e := range n.Entries {
			if e.Value != nil {
				all = append(all, block{*e.Value, a.blocks[*e.Value]})
			}
			if e.Child != nil {
				visit(e.Child)
			}
		}
	}
	visit(a.tree.Root)
	return all
}

// collections lists what the repository holds records of.
func (a *account) collections() []string {
	set := map[string]bool{}
	for _, e := range a.records {
		set[e.collection().String()] = true
	}
	return sorted(set)
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

// repoCID is the form of every CID in a repository.
var repoCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)
