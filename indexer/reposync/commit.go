package reposync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// The limits of one commit message, as the sync specification gives them.
const (
	MaxBlocks = 2_000_000
	MaxOps    = 200
)

// FutureTolerance is how far ahead of our clock a rev may lie.
const FutureTolerance = 5 * time.Minute

// Action is what an operation did to a record.
type Action string

// The actions of a repo operation.
const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
	ActionDelete Action = "delete"
)

// Op is a verified operation on one record.
type Op struct {
	Action     Action
	Collection syntax.NSID
	RKey       syntax.RecordKey
	CID        cid.Cid // undefined for a delete
	// Record is DAG-CBOR, checked against CID; nil for a delete. It shares the
	// memory of the message's blocks.
	Record []byte
}

// Commit is a verified commit: the account signed it, and Ops are what led from
// the tree PrevData to the tree Data, as far as they are in the collections that
// were asked for.
type Commit struct {
	DID  syntax.DID
	Rev  syntax.TID
	Data cid.Cid
	// PrevData is the tree before the operations. It is proven when defined;
	// undefined is allowed only for what can be a repository's first commit.
	PrevData cid.Cid
	Ops      []Op
}

// Filter says whether the records of a collection are wanted.
type Filter func(syntax.NSID) bool

// VerifyCommit proves a commit message and returns it with the operations on
// wanted collections. The error is a [*DropError], or wraps [ErrUnverified] or
// the context's error.
func VerifyCommit(ctx context.Context, keys *Keys, msg *comatproto.SyncSubscribeRepos_Commit, wanted Filter, now time.Time) (*Commit, error) {
	did, rev, err := checkEnvelope(msg, now)
	if err != nil {
		return nil, err
	}
	file, err := readCAR(ctx, msg.Blocks)
	if err != nil {
		return nil, err
	}
	if want := cid.Cid(msg.Commit); !file.root.Equals(want) {
		return nil, drop(DropRootMismatch, "the CAR's root is not the commit %s", want)
	}
	signed := file.commit
	if signed.DID != did.String() || signed.Rev != rev.String() {
		return nil, drop(DropFieldMismatch, "message says %s at %s, the commit %s at %s", did, rev, signed.DID, signed.Rev)
	}
	if err := keys.verify(ctx, did, signed, now); err != nil {
		return nil, err
	}
	before, err := prevData(msg)
	if err != nil {
		return nil, err
	}
	out := &Commit{DID: did, Rev: rev, Data: signed.Data}
	if msg.PrevData != nil {
		out.PrevData = before
	}
	if len(msg.Ops) == 0 {
		// Nothing changed, so the message need not bring a node of the tree.
		if !signed.Data.Equals(before) {
			return nil, drop(DropPrevData, "no operation leads from %s to %s", before, signed.Data)
		}
		return out, nil
	}
	tree, err := loadTree(ctx, file.blocks, signed.Data, len(msg.Blocks))
	if err != nil {
		return nil, drop(DropBadCAR, "%w", err)
	}
	ops, err := checkOps(msg.Ops, before, tree)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		verified, ok, err := readOp(ctx, file.blocks, op, wanted)
		if err != nil {
			return nil, err
		}
		if ok {
			out.Ops = append(out.Ops, verified)
		}
	}
	return out, nil
}

// CheckRev parses a rev and refuses one from the future, which would keep every
// later commit of the account out.
func CheckRev(raw string, now time.Time) (syntax.TID, error) {
	rev, err := syntax.ParseTID(raw)
	if err != nil {
		return "", drop(DropSyntax, "rev: %w", err)
	}
	if rev.Time().After(now.Add(FutureTolerance)) {
		return "", drop(DropFutureRev, "rev %s is of %s", rev, rev.Time().UTC().Format(time.RFC3339))
	}
	return rev, nil
}

func checkEnvelope(msg *comatproto.SyncSubscribeRepos_Commit, now time.Time) (syntax.DID, syntax.TID, error) {
	did, err := syntax.ParseDID(msg.Repo)
	if err != nil {
		return "", "", drop(DropSyntax, "repo: %w", err)
	}
	rev, err := CheckRev(msg.Rev, now)
	if err != nil {
		return "", "", err
	}
	if _, err := syntax.ParseDatetime(msg.Time); err != nil {
		return "", "", drop(DropSyntax, "time: %w", err)
	}
	switch {
	case msg.TooBig || msg.Rebase:
		return "", "", drop(DropDeprecated, "tooBig or rebase is set")
	case len(msg.Blocks) > MaxBlocks:
		return "", "", drop(DropTooLarge, "%d bytes of blocks", len(msg.Blocks))
	case len(msg.Ops) > MaxOps:
		return "", "", drop(DropTooLarge, "%d operations", len(msg.Ops))
	}
	return did, rev, nil
}

// checkOps proves that undoing the operations leads from the signed tree to the
// one before. None of the message's fields is signed, so nothing of it is taken
// on trust: an update or delete must say what it replaced. The tree becomes the
// one before.
func checkOps(claimed []*comatproto.SyncSubscribeRepos_RepoOp, prev cid.Cid, tree *mst.Tree) ([]repo.Operation, error) {
	ops, err := parseOps(claimed)
	if err != nil {
		return nil, err
	}
	// All are looked up before any is undone, so that the tree need not be there
	// twice.
	for _, step := range []func(*mst.Tree, *repo.Operation) error{repo.CheckOp, repo.InvertOp} {
		for i := range ops {
			err := step(tree, &ops[i])
			if errors.Is(err, mst.ErrPartialTree) {
				return nil, drop(DropBadCAR, "nodes of the tree are missing: %w", err)
			}
			if err != nil {
				return nil, drop(DropOperation, "%w", err)
			}
		}
	}
	root, err := tree.RootCID()
	if err != nil {
		return nil, drop(DropPrevData, "%w", err)
	}
	if !root.Equals(prev) {
		return nil, drop(DropPrevData, "undoing the operations gives %s, not %s", root, prev)
	}
	return ops, nil
}

// parseOps reads operations and puts them in order: deletes first.
func parseOps(claimed []*comatproto.SyncSubscribeRepos_RepoOp) ([]repo.Operation, error) {
	ops := make([]repo.Operation, 0, len(claimed))
	for _, op := range claimed {
		if op == nil {
			return nil, drop(DropOperation, "an operation is null")
		}
		parsed := repo.Operation{Path: op.Path, Value: (*cid.Cid)(op.Cid), Prev: (*cid.Cid)(op.Prev)}
		if _, _, err := syntax.ParseRepoPath(op.Path); err != nil {
			return nil, drop(DropSyntax, "path %q: %w", op.Path, err)
		}
		action := Action(op.Action)
		if op.Prev == nil && (action == ActionUpdate || action == ActionDelete) {
			return nil, drop(DropMissingPrev, "%s of %s does not say what it replaced", action, op.Path)
		}
		if !(action == ActionCreate && parsed.IsCreate() ||
			action == ActionUpdate && parsed.IsUpdate() ||
			action == ActionDelete && parsed.IsDelete()) {
			return nil, drop(DropOperation, "%q of %s does not fit its CIDs", op.Action, op.Path)
		}
		ops = append(ops, parsed)
	}
	ops, err := repo.NormalizeOps(ops)
	if err != nil {
		return nil, drop(DropOperation, "%w", err)
	}
	return ops, nil
}

// prevData is the tree before the message's operations; none stands for the
// empty tree.
func prevData(msg *comatproto.SyncSubscribeRepos_Commit) (cid.Cid, error) {
	if msg.PrevData != nil {
		return cid.Cid(*msg.PrevData), nil
	}
	empty := mst.NewEmptyTree()
	root, err := empty.RootCID()
	if err != nil {
		return cid.Undef, fmt.Errorf("reposync: root of the empty tree: %w", err)
	}
	return *root, nil
}

// readOp reads what an operation did, if the collection is wanted. Its path was
// parsed before.
func readOp(ctx context.Context, source carBlocks, op repo.Operation, wanted Filter) (Op, bool, error) {
	collection, rkey, _ := strings.Cut(op.Path, "/")
	out := Op{Action: ActionDelete, Collection: syntax.NSID(collection), RKey: syntax.RecordKey(rkey)}
	if !wanted(out.Collection) {
		return Op{}, false, nil
	}
	if op.IsDelete() {
		return out, true, nil
	}
	out.Action = ActionCreate
	if op.IsUpdate() {
		out.Action = ActionUpdate
	}
	// A record under another kind of CID than atproto's is not in the source.
	block, err := source.Get(ctx, *op.Value)
	if err != nil {
		return Op{}, false, drop(DropBadCAR, "record %s: %w", op.Path, err)
	}
	out.CID, out.Record = *op.Value, block.RawData()
	return out, true, nil
}

var errWrongCID = errors.New("the CID is not the sha-256 of these bytes as DAG-CBOR")

// repoCID is the form of every CID in a repository: version 1, DAG-CBOR, sha-256.
var repoCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)

func checkCID(want cid.Cid, raw []byte) error {
	got, err := repoCID.Sum(raw)
	if err != nil {
		return fmt.Errorf("hash a record: %w", err)
	}
	if !got.Equals(want) {
		return errWrongCID
	}
	return nil
}
