package indexer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/firehose"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// verify proves an event and makes the change of it; nil when it changes
// nothing. Its errors are damage of ours, or the end of the context.
func (ix *Indexer) verify(ctx context.Context, ev firehose.Event) (*store.Change, error) {
	did, err := syntax.ParseDID(ev.DID())
	if err != nil {
		ix.drop(ev, &reposync.DropError{Reason: reposync.DropSyntax, Err: err})
		return nil, nil
	}
	switch {
	case ev.Commit != nil:
		commit, err := reposync.VerifyCommit(ctx, ix.keys, ev.Commit, ix.isWanted, ix.now())
		if err != nil {
			return ix.unproven(ctx, ev, did, err)
		}
		return ix.commitChange(commit)
	case ev.Sync != nil:
		commit, err := reposync.VerifySync(ctx, ix.keys, ev.Sync, ix.now())
		if err != nil {
			return ix.unproven(ctx, ev, did, err)
		}
		return &store.Change{Kind: store.ChangeSync, DID: did, Rev: commit.Rev, Data: commit.Data.String()}, nil
	case ev.Identity != nil:
		if err := ix.keys.Forget(ctx, did); err != nil {
			return nil, err
		}
		return &store.Change{Kind: store.ChangeIdentity, DID: did}, nil
	case ev.Account != nil:
		if err := ix.checkHosted(ctx, did); err != nil {
			return ix.unproven(ctx, ev, did, err)
		}
		return accountChange(did, ev.Account), nil
	}
	return nil, nil
}

// commitChange parses the records of a proven commit. One that changes no
// record of ours only moves the repository on.
func (ix *Indexer) commitChange(commit *reposync.Commit) (*store.Change, error) {
	change := &store.Change{
		Kind: store.ChangeCommit, DID: commit.DID, Rev: commit.Rev, Data: commit.Data.String(),
		Track: len(commit.Ops) > 0,
	}
	if commit.PrevData.Defined() {
		change.PrevData = commit.PrevData.String()
	}
	for _, op := range commit.Ops {
		if op.Action == reposync.ActionDelete {
			change.Deletes = append(change.Deletes,
				syntax.ATURI("at://"+commit.DID.String()+"/"+op.Collection.String()+"/"+op.RKey.String()))
			continue
		}
		record, err := ix.parse(commit.DID, reposync.Record{
			Collection: op.Collection, RKey: op.RKey, CID: op.CID, Value: op.Record,
		})
		if err != nil {
			return nil, err
		}
		change.Puts = append(change.Puts, record)
	}
	return change, nil
}

// parse validates a proven record; an invalid one is counted and logged.
func (ix *Indexer) parse(did syntax.DID, r reposync.Record) (store.Record, error) {
	record, err := store.ParseRecord(did, r)
	if err == nil && record.Invalid != nil {
		ix.metrics.invalid.WithLabelValues(string(record.Invalid.Reason)).Inc()
		ix.warn("kept an invalid record out of the views", "uri", record.URI(), "cid", record.CID,
			"reason", record.Invalid.Reason, "err", brief(record.Invalid))
	}
	return record, err
}

// unproven decides what becomes of an event that could not be proven. It says
// nothing itself, but something happened in the repository: one that we follow
// is fetched from its PDS, which knows. One that we do not follow is forgotten,
// unless the only thing missing was its key.
func (ix *Indexer) unproven(ctx context.Context, ev firehose.Event, did syntax.DID, cause error) (*store.Change, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	change := &store.Change{Kind: store.ChangeUnproven, DID: did}
	if dropped, ok := errors.AsType[*reposync.DropError](cause); ok {
		ix.drop(ev, dropped)
		return change, nil
	}
	if errors.Is(cause, reposync.ErrUnverified) {
		ix.warn("could not look up a key: the repository will be fetched", "did", did, "err", brief(cause))
		change.Track = ev.Commit != nil && ix.touchesOurs(ev.Commit.Ops)
		return change, nil
	}
	return nil, cause
}

func (ix *Indexer) drop(ev firehose.Event, e *reposync.DropError) {
	ix.metrics.dropped.WithLabelValues(string(e.Reason)).Inc()
	ix.warn("dropped a message", "reason", e.Reason, "seq", ev.Seq, "did", ev.DID(), "err", brief(e))
}

// checkHosted refuses what a PDS says of an account that its DID document sends
// elsewhere: an account that moved leaves a deactivated one behind. A relay
// speaks for many, and checks this itself.
func (ix *Indexer) checkHosted(ctx context.Context, did syntax.DID) error {
	if !ix.atPDS.Load() {
		return nil
	}
	at, err := ix.pdsOf(ctx, did)
	if err == nil && at != ix.client().Host() {
		// It may have moved here without a word about it.
		if err := ix.keys.Forget(ctx, did); err != nil {
			return err
		}
		at, err = ix.pdsOf(ctx, did)
	}
	if err == nil && at != ix.client().Host() {
		err = &reposync.DropError{
			Reason: reposync.DropNotHosted,
			Err:    fmt.Errorf("%s speaks of %s, which is at %q", ix.client().Host(), did, at),
		}
	}
	return err
}

// pdsOf is the host that the account's DID document names; empty when it names
// none that we would ask.
func (ix *Indexer) pdsOf(ctx context.Context, did syntax.DID) (string, error) {
	ident, err := ix.keys.Identity(ctx, did)
	if err != nil {
		return "", err
	}
	pds, err := ix.hosts.base(ident.PDSEndpoint())
	if err != nil {
		return "", nil //nolint:nilerr // such an account is hosted nowhere
	}
	return pds.Host, nil
}

// accountChange reads a status. It is not signed: it comes from hop to hop, and
// the sweep asks the PDS itself.
func accountChange(did syntax.DID, msg *comatproto.SyncSubscribeRepos_Account) *store.Change {
	change := &store.Change{Kind: store.ChangeAccount, DID: did, Status: store.AccountActive}
	if !msg.Active {
		change.Status = hiddenStatus(msg.Status)
	}
	return change
}

// touchesOurs reports whether one of the operations, as the message claims
// them, is on a collection of ours.
func (ix *Indexer) touchesOurs(ops []*comatproto.SyncSubscribeRepos_RepoOp) bool {
	for _, op := range ops {
		if op == nil {
			continue
		}
		if collection, _, ok := strings.Cut(op.Path, "/"); ok && ix.wanted[syntax.NSID(collection)] {
			return true
		}
	}
	return false
}
