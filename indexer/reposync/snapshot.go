package reposync

import (
	"context"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
)

// Record is one record of a verified repository.
type Record struct {
	Collection syntax.NSID
	RKey       syntax.RecordKey
	CID        cid.Cid
	Value      []byte // DAG-CBOR, checked against CID
}

// Snapshot is a whole repository at one rev, reduced to the wanted collections.
type Snapshot struct {
	DID     syntax.DID
	Rev     syntax.TID
	Data    cid.Cid
	Records []Record
}

// VerifySnapshot proves a whole repository as com.atproto.sync.getRepo gives
// it: signed by did, with every node of its tree and every wanted record
// present. Only those records, and the nodes on the way to them, are in memory.
// Errors are those of [VerifyCommit].
func VerifySnapshot(ctx context.Context, keys *Keys, did syntax.DID, spool *Spool, wanted Filter, now time.Time) (*Snapshot, error) {
	signed, err := readCommit(ctx, spool, spool.root)
	if err != nil {
		return nil, drop(DropBadCAR, "commit: %w", err)
	}
	if signed.DID != did.String() {
		return nil, drop(DropFieldMismatch, "the repository is of %s, not of %s", signed.DID, did)
	}
	rev, err := CheckRev(signed.Rev, now)
	if err != nil {
		return nil, err
	}
	if err := keys.verify(ctx, did, signed, now); err != nil {
		return nil, err
	}
	out := &Snapshot{DID: did, Rev: rev, Data: signed.Data}
	err = walkTree(ctx, spool, signed.Data, int(spool.Size()), func(key []byte, value cid.Cid) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reposync: walk the tree of %s: %w", did, err)
		}
		collection, rkey, err := syntax.ParseRepoPath(string(key))
		if err != nil {
			return drop(DropSyntax, "path %.64q: %w", key, err)
		}
		if !wanted(collection) {
			return nil
		}
		block, err := spool.Get(ctx, value)
		if err != nil {
			return drop(DropBadCAR, "record %s: %w", key, err)
		}
		out.Records = append(out.Records, Record{Collection: collection, RKey: rkey, CID: value, Value: block.RawData()})
		return nil
	})
	if err != nil {
		if _, ok := errors.AsType[*DropError](err); ok || ctx.Err() != nil {
			return nil, err
		}
		return nil, drop(DropBadCAR, "%w", err)
	}
	return out, nil
}

// VerifySync proves a sync message: the state that the account says it is in.
// Errors are those of [VerifyCommit].
func VerifySync(ctx context.Context, keys *Keys, msg *comatproto.SyncSubscribeRepos_Sync, now time.Time) (*Commit, error) {
	if len(msg.Blocks) > MaxBlocks {
		return nil, drop(DropTooLarge, "%d bytes of blocks", len(msg.Blocks))
	}
	did, err := syntax.ParseDID(msg.Did)
	if err != nil {
		return nil, drop(DropSyntax, "did: %w", err)
	}
	rev, err := CheckRev(msg.Rev, now)
	if err != nil {
		return nil, err
	}
	file, err := readCAR(ctx, msg.Blocks)
	if err != nil {
		return nil, err
	}
	signed := file.commit
	if signed.DID != did.String() || signed.Rev != rev.String() {
		return nil, drop(DropFieldMismatch, "message says %s at %s, the commit %s at %s", did, rev, signed.DID, signed.Rev)
	}
	if err := keys.verify(ctx, did, signed, now); err != nil {
		return nil, err
	}
	return &Commit{DID: did, Rev: rev, Data: signed.Data}, nil
}
