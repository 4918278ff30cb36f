package reposync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
)

// Presence is what a repository says about one record at some rev: what it holds
// there, or that it holds nothing.
type Presence struct {
	Rev syntax.TID
	// CID is undefined and Value nil when the account signed that there is no such
	// record.
	CID   cid.Cid
	Value []byte // DAG-CBOR, checked against CID
}

// VerifyRecord proves what com.atproto.sync.getRecord answers about one record of did:
// that the key signed a tree that has it, or has not. Errors are [*DropError], or the
// context's. That the tree is the newest, nobody can prove: the caller compares the
// rev with what else it knows of the repository.
func VerifyRecord(ctx context.Context, key atcrypto.PublicKey, did syntax.DID, car []byte, collection syntax.NSID, rkey syntax.RecordKey, now time.Time) (*Presence, error) {
	if len(car) > MaxBlocks {
		return nil, drop(DropTooLarge, "%d bytes of blocks", len(car))
	}
	file, err := readCAR(ctx, car)
	if err != nil {
		return nil, err
	}
	signed := file.commit
	if signed.DID != did.String() {
		return nil, drop(DropFieldMismatch, "the proof is of %s, not of %s", signed.DID, did)
	}
	rev, err := CheckRev(signed.Rev, now)
	if err != nil {
		return nil, err
	}
	if err := signed.VerifySignature(key); err != nil {
		return nil, drop(DropSignature, "%w", err)
	}
	tree, err := loadTree(ctx, file.blocks, signed.Data, len(car))
	if err != nil {
		return nil, drop(DropBadCAR, "%w", err)
	}
	path := collection.String() + "/" + rkey.String()
	ref, err := tree.Get([]byte(path))
	switch {
	case errors.Is(err, mst.ErrPartialTree):
		return nil, drop(DropBadCAR, "nodes on the way to %s are missing: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("reposync: look for %s in the tree of %s: %w", path, did, err)
	case ref == nil:
		return &Presence{Rev: rev}, nil
	}
	block, err := file.blocks.Get(ctx, *ref)
	if err != nil {
		return nil, drop(DropBadCAR, "record %s: %w", path, err)
	}
	return &Presence{Rev: rev, CID: *ref, Value: block.RawData()}, nil
}
