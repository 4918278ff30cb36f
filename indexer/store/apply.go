package store

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// ChangeKind says what a [Change] is.
type ChangeKind string

// The kinds of changes.
const (
	// ChangeCommit is a proven commit.
	ChangeCommit ChangeKind = "commit"
	// ChangeSync is a proven statement of where a repository is.
	ChangeSync ChangeKind = "sync"
	// ChangeUnproven is a commit that could not be proven: something happened,
	// and only the PDS can say what.
	ChangeUnproven ChangeKind = "unproven"
	// ChangeIdentity says that handle, key or PDS may be others now.
	ChangeIdentity ChangeKind = "identity"
	// ChangeAccount carries a status.
	ChangeAccount ChangeKind = "account"
)

// ChangeKinds lists all kinds.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{ChangeCommit, ChangeSync, ChangeUnproven, ChangeIdentity, ChangeAccount}
}

// Change is one thing that happened to an account.
type Change struct {
	Kind ChangeKind
	DID  syntax.DID
	Rev  syntax.TID // commit, sync
	Data string     // commit, sync: root of the tree after it
	// PrevData is the root before a commit; empty when it claims to be the first.
	PrevData string
	Puts     []Record
	Deletes  []syntax.ATURI
	Status   AccountStatus // account
	// Track lets the change begin to follow a repository that is not tracked.
	Track bool
}

// Outcome says what became of a change. The set is closed: it labels metrics.
type Outcome string

// The outcomes of changes.
const (
	OutcomeApplied        Outcome = "applied"
	OutcomeIgnored        Outcome = "ignored"        // about a repository that is not ours, or gone
	OutcomeReplayed       Outcome = "replayed"       // not newer than what the index holds
	OutcomeTracked        Outcome = "tracked"        // first seen: fetched whole
	OutcomeDesynchronized Outcome = "desynchronized" // does not follow what the index holds: fetched whole
	OutcomeWaiting        Outcome = "waiting"        // a resync that is under way brings it
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeApplied, OutcomeIgnored, OutcomeReplayed, OutcomeTracked, OutcomeDesynchronized, OutcomeWaiting,
	}
}

// Applied is what one call of [Store.Apply] did.
type Applied struct {
	Outcomes []Outcome // one for each change
	// MoreStale: derived rows wait for DeriveStale.
	MoreStale bool
	// MoreResyncs: at least one repository waits to be fetched.
	MoreResyncs bool
}

// Apply stores changes in their order, what follows from them, and the cursor,
// in one transaction.
func (s *Store) Apply(ctx context.Context, upstream string, seq int64, changes []Change) (Applied, error) {
	return s.applyAll(ctx, upstream, seq, changes, (*tx).derive)
}

// ApplyBehind is Apply for a caller who has more changes waiting. What follows
// from these is queued in the same transaction, for a later Apply or
// DeriveStale, so that a proposal in many of them is derived once. MoreStale is
// set. What a hidden or deleted account had derived vanishes at once all the same.
func (s *Store) ApplyBehind(ctx context.Context, upstream string, seq int64, changes []Change) (Applied, error) {
	return s.applyAll(ctx, upstream, seq, changes, func(*tx, context.Context) (more bool, err error) { return true, nil })
}

func (s *Store) applyAll(ctx context.Context, upstream string, seq int64, changes []Change,
	derive func(*tx, context.Context) (more bool, err error),
) (Applied, error) {
	var out Applied
	err := s.update(ctx, "apply changes", func(ctx context.Context, tx *tx) error {
		out = Applied{Outcomes: make([]Outcome, 0, len(changes))}
		// Most frames on a network are not ours, and only move the cursor.
		var err error
		tx.unseen, err = tx.writesNothing(ctx, func() error {
			for _, c := range changes {
				outcome, err := tx.apply(ctx, c)
				if err != nil {
					return fmt.Errorf("%s of %s at %s: %w", c.Kind, c.DID, c.Rev, err)
				}
				out.Outcomes = append(out.Outcomes, outcome)
				switch outcome {
				case OutcomeTracked, OutcomeDesynchronized:
					out.MoreResyncs = true
				}
			}
			var err error
			out.MoreStale, err = derive(tx, ctx)
			return err
		})
		if err != nil {
			return err
		}
		return tx.saveCursor(ctx, upstream, seq)
	})
	return out, err
}

func (tx *tx) apply(ctx context.Context, c Change) (Outcome, error) {
	if c.Kind == ChangeIdentity {
		return tx.applyIdentity(ctx, c.DID)
	}
	row, tracked, err := tx.repo(ctx, c.DID)
	if err != nil {
		return "", err
	}
	if !tracked {
		if !c.Track {
			return OutcomeIgnored, nil
		}
		return OutcomeTracked, tx.track(ctx, c.DID, c.Rev)
	}
	if c.Kind == ChangeAccount {
		outcome, err := tx.believeStream(ctx, c.DID, c.Status, row)
		if err != nil {
			return "", err
		}
		return outcome, tx.confirm(ctx, c.DID)
	}
	if row.status == AccountDeleted {
		return OutcomeIgnored, nil
	}
	switch c.Kind {
	case ChangeUnproven:
		return tx.applyUnproven(ctx, c, row)
	case ChangeSync:
		return tx.applySync(ctx, c, row)
	case ChangeCommit:
		return tx.applyCommit(ctx, c, row)
	default:
		return "", fmt.Errorf("unknown kind of change %q", c.Kind)
	}
}

// applyIdentity makes the handle due of any account that a view may name,
// tracked or not.
func (tx *tx) applyIdentity(ctx context.Context, did syntax.DID) (Outcome, error) {
	done, err := tx.ExecContext(ctx, `UPDATE actor SET due_at = 0 WHERE did = $1`, did)
	if err != nil {
		return "", err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return OutcomeIgnored, err
	}
	return OutcomeApplied, nil
}

// applyUnproven wants the repository fetched. One that waits for that already
// keeps its pause: otherwise anybody could make us ask a failing PDS without end.
func (tx *tx) applyUnproven(ctx context.Context, c Change, row repoRow) (Outcome, error) {
	if row.state == RepoDesynchronized {
		return OutcomeWaiting, tx.exec(ctx, `UPDATE repo SET wanted = wanted + 1 WHERE did = $1`, c.DID)
	}
	return OutcomeDesynchronized, tx.desynchronize(ctx, c.DID, "")
}

// applyCommit applies a commit that follows the one the index holds. Anything
// else than the next one means that something is missing.
func (tx *tx) applyCommit(ctx context.Context, c Change, row repoRow) (Outcome, error) {
	if row.rev != "" && c.Rev <= row.rev {
		return OutcomeReplayed, nil
	}
	if row.state == RepoDesynchronized {
		return OutcomeWaiting, tx.saw(ctx, c.DID, c.Rev)
	}
	if c.PrevData == "" || c.PrevData != row.data {
		return OutcomeDesynchronized, tx.desynchronize(ctx, c.DID, c.Rev)
	}
	for _, uri := range c.Deletes {
		if err := tx.removeURI(ctx, uri, uri.Collection()); err != nil {
			return "", err
		}
	}
	for _, r := range c.Puts {
		if err := tx.put(ctx, r); err != nil {
			return "", err
		}
	}
	return OutcomeApplied, tx.exec(ctx, `UPDATE repo SET rev = $1, data = $2 WHERE did = $3`, c.Rev, c.Data, c.DID)
}

func (tx *tx) applySync(ctx context.Context, c Change, row repoRow) (Outcome, error) {
	switch {
	case row.rev != "" && c.Rev <= row.rev:
		return OutcomeReplayed, nil
	case row.state == RepoDesynchronized:
		return OutcomeWaiting, tx.saw(ctx, c.DID, c.Rev)
	case c.Data != row.data:
		return OutcomeDesynchronized, tx.desynchronize(ctx, c.DID, c.Rev)
	}
	return OutcomeApplied, tx.exec(ctx, `UPDATE repo SET rev = $1 WHERE did = $2`, c.Rev, c.DID)
}

// believeStream takes a status from the stream, which is not signed. A deletion
// only hides until the PDS confirms it: what is purged on the word of an upstream
// that lied would be missing until somebody told the truth. Likewise one that was
// deleted before is so again when its PDS still does not have it.
func (tx *tx) believeStream(ctx context.Context, did syntax.DID, status AccountStatus, row repoRow) (Outcome, error) {
	told := (status == AccountDeleted) != (row.status == AccountDeleted)
	if told && status == AccountDeleted {
		status = AccountDeactivated
	}
	if err := tx.setToldDeleted(ctx, did, told, row); err != nil {
		return "", err
	}
	return tx.applyAccount(ctx, did, status, row)
}

// believePDS takes a status from the account's own PDS. [AccountDeleted] means
// that it has no such account: that confirms a deletion which the stream told,
// and hides otherwise. A deleted account stays deleted, because only the stream
// brings one back.
func (tx *tx) believePDS(ctx context.Context, did syntax.DID, status AccountStatus, row repoRow) (Outcome, error) {
	if row.status == AccountDeleted {
		return OutcomeIgnored, nil
	}
	if status == AccountDeleted {
		if !row.toldDeleted {
			status = AccountDeactivated
		} else if err := tx.setToldDeleted(ctx, did, false, row); err != nil {
			return "", err
		}
	}
	return tx.applyAccount(ctx, did, status, row)
}

func (tx *tx) setToldDeleted(ctx context.Context, did syntax.DID, told bool, row repoRow) error {
	if told == row.toldDeleted {
		return nil
	}
	return tx.exec(ctx, `UPDATE repo SET told_deleted = $1 WHERE did = $2`, told, did)
}

// applyAccount hides, shows again or purges. An account that comes back is
// fetched whole, since its commits may not have reached us meanwhile.
func (tx *tx) applyAccount(ctx context.Context, did syntax.DID, status AccountStatus, row repoRow) (Outcome, error) {
	if status == row.status {
		return OutcomeReplayed, nil
	}
	if status != AccountActive {
		// Before a purge, which takes the rows by which the derived ones are found.
		if err := tx.hide(ctx, did); err != nil {
			return "", err
		}
	}
	if status == AccountDeleted {
		if err := tx.purge(ctx, did); err != nil {
			return "", err
		}
	}
	if err := tx.setStatus(ctx, did, status); err != nil {
		return "", err
	}
	if err := tx.touchAccount(ctx, did); err != nil {
		return "", err
	}
	if status == AccountActive {
		return OutcomeDesynchronized, tx.desynchronize(ctx, did, "")
	}
	return OutcomeApplied, nil
}

// confirm makes the repository due for a sweep: a status comes unsigned from hop
// to hop, or was asked for a while ago, and may be wrong or outdated.
func (tx *tx) confirm(ctx context.Context, did syntax.DID) error {
	return tx.exec(ctx, `UPDATE repo SET swept_at = 0, sweeps_wanted = sweeps_wanted + 1 WHERE did = $1`, did)
}

// saw notes a proven rev that the resync must reach.
func (tx *tx) saw(ctx context.Context, did syntax.DID, rev syntax.TID) error {
	return tx.exec(ctx, `UPDATE repo SET seen_rev = max(coalesce(seen_rev, ''), $1) WHERE did = $2`, rev, did)
}
