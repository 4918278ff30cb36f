package simulated

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
)

// Repository is a signed repository in memory, and what a PDS does with it. It keeps
// every block that it ever had. It belongs to one goroutine at a time.
type Repository struct {
	DID syntax.DID
	// Key signs the next commits.
	Key *atcrypto.PrivateKeyK256
	// Rev, Data and Commit are of the newest commit; Rev is empty before the first.
	Rev    syntax.TID
	Data   cid.Cid
	Commit Block

	tree    mst.Tree
	blocks  map[cid.Cid][]byte
	records map[string]cid.Cid // by path
}

// Edit writes the record at a path, or deletes it when Value, its DAG-CBOR, is nil.
type Edit struct {
	Path  string
	Value []byte
}

// NewRepository is an empty repository without a commit.
func NewRepository(did syntax.DID, key *atcrypto.PrivateKeyK256) *Repository {
	return &Repository{DID: did, Key: key, tree: mst.NewEmptyTree(), blocks: map[cid.Cid][]byte{}, records: map[string]cid.Cid{}}
}

// Apply makes one commit of the edits, and the message about it. Edits that would change
// nothing are left out; a commit is made all the same.
func (r *Repository) Apply(now time.Time, edits ...Edit) (*comatproto.SyncSubscribeRepos_Commit, error) {
	before, since, first := r.Data, r.Rev, r.Rev == ""
	records := maps.Clone(r.records)
	var changed []Block
	ops := []*comatproto.SyncSubscribeRepos_RepoOp{}
	for _, e := range edits {
		old, there := records[e.Path]
		var value *cid.Cid
		if e.Value != nil {
			record := BlockOf(e.Value)
			if there && old == record.CID {
				continue
			}
			changed = append(changed, record)
			records[e.Path], value = record.CID, &record.CID
		} else {
			if !there {
				continue
			}
			delete(records, e.Path)
		}
		op, err := repo.ApplyOp(&r.tree, e.Path, value)
		if err != nil {
			return nil, fmt.Errorf("simulated: apply %s: %w", e.Path, err)
		}
		if r.tree.IsEmpty() {
			r.tree = mst.NewEmptyTree() // the library keeps a height that an empty tree has not
		}
		ops = append(ops, claim(op))
	}
	nodes, err := r.writeTree()
	if err != nil {
		return nil, err
	}
	changed = append(changed, nodes...)
	for _, b := range changed {
		r.blocks[b.CID] = b.Data
	}
	r.records = records
	if err := r.Sign(now); err != nil {
		return nil, err
	}
	msg := &comatproto.SyncSubscribeRepos_Commit{
		Repo: r.DID.String(), Rev: r.Rev.String(), Time: Stamp(now), Ops: ops, Blobs: []util.LexLink{},
		Commit: util.LexLink(r.Commit.CID), Blocks: MakeCAR(r.Commit.CID, append([]Block{r.Commit}, changed...)...),
	}
	if !first {
		msg.PrevData, msg.Since = (*util.LexLink)(&before), new(since.String())
	}
	return msg, nil
}

// writeTree returns the nodes that changed, and sets Data to the root.
func (r *Repository) writeTree() ([]Block, error) {
	ctx := context.Background()
	//lint:ignore SA1019 indigo takes this interface, and the package that replaces it is large
	bs := blockstore.NewBlockstore(datastore.NewMapDatastore())
	root, err := r.tree.WriteDiffBlocks(ctx, bs)
	if err != nil {
		return nil, fmt.Errorf("simulated: write the tree of %s: %w", r.DID, err)
	}
	keys, err := bs.AllKeysChan(ctx)
	if err != nil {
		return nil, fmt.Errorf("simulated: list the nodes of %s: %w", r.DID, err)
	}
	var nodes []Block
	for key := range keys {
		c := cid.NewCidV1(cid.DagCBOR, key.Hash())
		node, err := bs.Get(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("simulated: read a node of %s: %w", r.DID, err)
		}
		nodes = append(nodes, Block{c, node.RawData()})
	}
	r.Data = *root
	return nodes, nil
}

// Sign moves the repository to a new rev, signed with the key.
func (r *Repository) Sign(now time.Time) error {
	micros := now.UnixMicro()
	if r.Rev != "" {
		micros = max(micros, r.Rev.Time().UnixMicro()+1)
	}
	r.Rev = syntax.NewTID(micros, 0)
	commit, err := Sign(repo.Commit{DID: r.DID.String(), Version: repo.ATPROTO_REPO_VERSION, Rev: r.Rev.String(), Data: r.Data}, r.Key)
	if err != nil {
		return err
	}
	r.Commit = commit
	return nil
}

// Sync is the message that says where the repository is, without what led there.
func (r *Repository) Sync(now time.Time) *comatproto.SyncSubscribeRepos_Sync {
	return &comatproto.SyncSubscribeRepos_Sync{
		Did: r.DID.String(), Rev: r.Rev.String(), Time: Stamp(now), Blocks: MakeCAR(r.Commit.CID, r.Commit),
	}
}

// Snapshot lists the blocks of the whole repository, the commit first.
func (r *Repository) Snapshot() []Block {
	all := []Block{r.Commit}
	r.number()
	var visit func(n *mst.Node)
	visit = func(n *mst.Node) {
		all = append(all, Block{*n.CID, r.blocks[*n.CID]})
		for _, e := range n.Entries {
			if e.Value != nil {
				all = append(all, Block{*e.Value, r.blocks[*e.Value]})
			}
			if e.Child != nil {
				visit(e.Child)
			}
		}
	}
	visit(r.tree.Root)
	return all
}

// Proof is a CAR file that proves what is at a path, or that nothing is: the commit, the
// nodes on the way there, and the record.
func (r *Repository) Proof(path string) []byte {
	all := []Block{r.Commit}
	r.number()
	for n := r.tree.Root; n != nil; {
		all = append(all, Block{*n.CID, r.blocks[*n.CID]})
		var below *mst.Node
		for _, e := range n.Entries {
			if e.Value == nil {
				below = e.Child
				continue
			}
			order := bytes.Compare(e.Key, []byte(path))
			if order > 0 {
				break
			}
			if below = nil; order == 0 {
				break
			}
		}
		n = below
	}
	if c, ok := r.records[path]; ok {
		all = append(all, Block{c, r.blocks[c]})
	}
	return MakeCAR(r.Commit.CID, all...)
}

// number gives each node of the tree its CID.
func (r *Repository) number() {
	if _, err := r.tree.RootCID(); err != nil {
		panic(err) // only a partial tree has none
	}
}

// Record returns what is at a path.
func (r *Repository) Record(path string) (Block, bool) {
	c, ok := r.records[path]
	return Block{c, r.blocks[c]}, ok
}

// Paths lists the records of a collection, or of all when it is empty, in order.
func (r *Repository) Paths(collection syntax.NSID) []string {
	var out []string
	for path := range r.records {
		if collection == "" || strings.HasPrefix(path, collection.String()+"/") {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// Collections lists what the repository holds records of.
func (r *Repository) Collections() []string {
	set := map[string]bool{}
	for path := range r.records {
		collection, _, _ := strings.Cut(path, "/")
		set[collection] = true
	}
	return slices.Sorted(maps.Keys(set))
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

// Stamp is a moment as records and messages write it.
func Stamp(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }
