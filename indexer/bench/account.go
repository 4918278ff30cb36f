package bench

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/lex/util"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	blockstore "github.com/ipfs/go-ipfs-blockstore"
	"github.com/ipld/go-car"
	carutil "github.com/ipld/go-car/util"
	"github.com/multiformats/go-multihash"
)

// oneInP256 is how rare the other kind of key is.
const oneInP256 = 10

var repoCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)

// account has a key and a repository, and does what its PDS does with them:
// apply edits, sign, say so. All its choices come from its own random numbers,
// so that accounts can be made in any order.
type account struct {
	did     syntax.DID
	key     atcrypto.PrivateKey
	rand    *rand.Rand
	tree    mst.Tree
	data    cid.Cid
	revs    int
	records map[string]block // by path; nil: nobody will ask for the repository
	paths   []string         // of records that may be edited
	commit  block
	told    time.Time // see FeedConfig.Told
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

func newAccount(seed, index uint64) (*account, error) {
	r := rand.New(rand.NewPCG(seed, index))
	a := &account{did: randomDID(r), rand: r, tree: mst.NewEmptyTree()}
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(r.Uint32())
	}
	secret[0] = 1 // below the order of either curve
	var err error
	if index%oneInP256 == 0 {
		a.key, err = atcrypto.ParsePrivateBytesP256(secret)
	} else {
		a.key, err = atcrypto.ParsePrivateBytesK256(secret)
	}
	if err != nil {
		return nil, fmt.Errorf("bench: make a key: %w", err)
	}
	return a, nil
}

// multibase is the account's public key as its DID document shows it.
func (a *account) multibase() (string, error) {
	pub, err := a.key.PublicKey()
	if err != nil {
		return "", fmt.Errorf("bench: make a public key: %w", err)
	}
	return pub.Multibase(), nil
}

func randomDID(r *rand.Rand) syntax.DID {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	id := make([]byte, 24)
	for i := range id {
		id[i] = letters[r.IntN(len(letters))]
	}
	return syntax.DID("did:plc:" + string(id))
}

// tid is a record key that the account has not used.
func (a *account) tid() syntax.TID {
	return syntax.NewTIDFromTime(began.Add(time.Duration(a.revs)*time.Second+time.Duration(a.rand.IntN(1_000_000))*time.Microsecond), uint(a.rand.IntN(1024)))
}

func (a *account) uri(path string) syntax.ATURI {
	return syntax.ATURI("at://" + a.did.String() + "/" + path)
}

// create is the edit that adds a record under a new key.
func (a *account) create(collection syntax.NSID, value map[string]any) edit {
	return edit{collection.String() + "/" + a.tid().String(), value}
}

// apply makes one commit of the edits and returns the message that a PDS sends.
func (a *account) apply(edits ...edit) (*comatproto.SyncSubscribeRepos_Commit, error) {
	var changed diff
	var ops []*comatproto.SyncSubscribeRepos_RepoOp
	for _, e := range edits {
		value, err := a.write(&changed, e)
		if err != nil {
			return nil, err
		}
		op, err := repo.ApplyOp(&a.tree, e.path, value)
		if err != nil {
			return nil, fmt.Errorf("bench: apply %s: %w", e.path, err)
		}
		ops = append(ops, claim(op))
	}
	data, err := a.tree.WriteDiffBlocks(context.Background(), &changed)
	if err != nil {
		return nil, fmt.Errorf("bench: write the tree: %w", err)
	}
	a.revs++
	at := began.Add(time.Duration(a.revs) * time.Second)
	msg := &comatproto.SyncSubscribeRepos_Commit{
		Repo: a.did.String(), Rev: syntax.NewTIDFromTime(at, 0).String(), Time: cmp.Or(a.told, at).Format(timeLayout),
		Ops: ops, Blobs: []util.LexLink{},
	}
	if a.data.Defined() {
		prev := util.LexLink(a.data)
		since := syntax.NewTIDFromTime(at.Add(-time.Second), 0).String()
		msg.PrevData, msg.Since = &prev, &since
	}
	a.data = *data
	if err := a.sign(msg.Rev); err != nil {
		return nil, err
	}
	msg.Commit = util.LexLink(a.commit.cid)
	msg.Blocks, err = writeCAR(a.commit, changed.blocks...)
	return msg, err
}

// write encodes an edit's record and keeps it.
func (a *account) write(changed *diff, e edit) (*cid.Cid, error) {
	if e.value == nil {
		delete(a.records, e.path)
		return nil, nil
	}
	raw, err := atdata.MarshalCBOR(e.value)
	if err != nil {
		return nil, fmt.Errorf("bench: encode %s: %w", e.path, err)
	}
	record, err := blockOf(raw)
	if err != nil {
		return nil, err
	}
	changed.blocks = append(changed.blocks, record)
	if a.records != nil {
		a.records[e.path] = record
	}
	return &record.cid, nil
}

func (a *account) sign(rev string) error {
	commit := repo.Commit{DID: a.did.String(), Version: repo.ATPROTO_REPO_VERSION, Rev: rev, Data: a.data}
	if err := commit.Sign(a.key); err != nil {
		return fmt.Errorf("bench: sign: %w", err)
	}
	var buf bytes.Buffer
	if err := commit.MarshalCBOR(&buf); err != nil {
		return fmt.Errorf("bench: encode a commit: %w", err)
	}
	var err error
	a.commit, err = blockOf(buf.Bytes())
	return err
}

// snapshot is the repository as its PDS serves it now.
type snapshot struct {
	rev  syntax.TID
	head cid.Cid
	data cid.Cid
	car  []byte
}

func (a *account) snapshot() (snapshot, error) {
	var all []block
	var visit func(n *mst.Node) error
	visit = func(n *mst.Node) error {
		node := n.NodeData()
		raw, c, err := node.Bytes()
		if err != nil {
			return fmt.Errorf("bench: encode a node: %w", err)
		}
		all = append(all, block{*c, raw})
		for _, e := range n.Entries {
			if e.IsValue() {
				all = append(all, a.records[string(e.Key)])
				continue
			}
			if err := visit(e.Child); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(a.tree.Root); err != nil {
		return snapshot{}, err
	}
	raw, err := writeCAR(a.commit, all...)
	return snapshot{rev: a.rev(), head: a.commit.cid, data: a.data, car: raw}, err
}

// rev is that of the last commit.
func (a *account) rev() syntax.TID {
	return syntax.NewTIDFromTime(began.Add(time.Duration(a.revs)*time.Second), 0)
}

// diff collects the blocks that a commit changed. It is a blockstore only as far
// as writing a tree needs one.
type diff struct {
	blockstore.Blockstore
	blocks []block
}

// Put keeps a node of the tree.
func (d *diff) Put(_ context.Context, b blocks.Block) error {
	d.blocks = append(d.blocks, block{b.Cid(), b.RawData()})
	return nil
}

func blockOf(raw []byte) (block, error) {
	c, err := repoCID.Sum(raw)
	if err != nil {
		return block{}, fmt.Errorf("bench: hash a block: %w", err)
	}
	return block{c, raw}, nil
}

func writeCAR(root block, others ...block) ([]byte, error) {
	var buf bytes.Buffer
	if err := car.WriteHeader(&car.CarHeader{Roots: []cid.Cid{root.cid}, Version: 1}, &buf); err != nil {
		return nil, fmt.Errorf("bench: write a CAR: %w", err)
	}
	for _, b := range append([]block{root}, others...) {
		if err := carutil.LdWrite(&buf, b.cid.Bytes(), b.data); err != nil {
			return nil, fmt.Errorf("bench: write a CAR: %w", err)
		}
	}
	return buf.Bytes(), nil
}

func claim(op *repo.Operation) *comatproto.SyncSubscribeRepos_RepoOp {
	out := &comatproto.SyncSubscribeRepos_RepoOp{Path: op.Path, Cid: (*util.LexLink)(op.Value), Prev: (*util.LexLink)(op.Prev)}
	switch {
	case op.IsDelete():
		out.Action = "delete"
	case op.IsCreate():
		out.Action = "create"
	default:
		out.Action = "update"
	}
	return out
}
