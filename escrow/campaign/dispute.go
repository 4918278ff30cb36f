package campaign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
)

// Ended is how a dispute ended.
type Ended string

// The ends.
const (
	EndedWithdrawn Ended = "withdrawn"
	EndedUpheld    Ended = "upheld"
	EndedRejected  Ended = "rejected"
	// EndedOver: the campaign ended for another reason.
	EndedOver Ended = "over"
)

// Dispute is one that stops, or stopped, a campaign's clock: by somebody who held a pledge
// when it was seen, once for a release (rule 13).
type Dispute struct {
	URI      syntax.ATURI
	CID      syntax.CID
	Attempt  ledger.AttemptKey
	Author   syntax.DID
	Reason   string
	SeenAt   time.Time
	RulingBy time.Time
	EndedAt  time.Time // zero while it stands
	Ended    Ended
	// Ruling is the key of the ruling's record; empty for none.
	Ruling    syntax.RecordKey
	Rationale string
	ByDefault bool
}

// Ref is how records refer to it.
func (d Dispute) Ref() comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{Uri: d.URI.String(), Cid: d.CID.String()}
}

// Stands tells whether it stops clock and payout.
func (d Dispute) Stands() bool { return d.Ended == "" }

// Outcome is how it was ruled on; empty without a ruling.
func (d Dispute) Outcome() lifecycle.Outcome {
	if d.Ruling == "" {
		return ""
	}
	return lifecycle.Outcome(d.Ended)
}

const disputeColumns = `dispute, cid, attempt, author, reason, seen_at, ruling_by, ended_at, coalesce(ended, ''),
	coalesce(ruling, ''), coalesce(rationale, ''), coalesce(by_default, 0)`

func scanDispute(scan func(...any) error) (d Dispute, err error) {
	var seenAt, rulingBy int64
	var endedAt sql.NullInt64
	err = scan(&d.URI, &d.CID, &d.Attempt, &d.Author, &d.Reason, &seenAt, &rulingBy, &endedAt, &d.Ended, &d.Ruling, &d.Rationale, &d.ByDefault)
	d.SeenAt, d.RulingBy, d.EndedAt = moment(seenAt), moment(rulingBy), perhaps(endedAt)
	return d, err
}

func disputesBy(ctx context.Context, q sqlite.Querier, where string, args ...any) ([]Dispute, error) {
	list, err := sqlite.Collect(ctx, q, `SELECT `+disputeColumns+` FROM dispute WHERE `+where+` ORDER BY seen_at, dispute`,
		func(rows *sql.Rows) (Dispute, error) { return scanDispute(rows.Scan) }, args...)
	if err != nil {
		return nil, fmt.Errorf("campaign: list disputes: %w", err)
	}
	return list, nil
}

// DisputesOf lists the disputes that stopped a campaign's clock, in the order in which they
// were seen.
func DisputesOf(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) ([]Dispute, error) {
	return disputesBy(ctx, q, `attempt = $1`, attempt)
}

func standingDisputes(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) ([]Dispute, error) {
	return disputesBy(ctx, q, `attempt = $1 AND ended IS NULL`, attempt)
}

// DisputeRuled returns the dispute that a ruling is about, or ErrNotFound.
func DisputeRuled(ctx context.Context, q sqlite.Querier, ruling syntax.RecordKey) (Dispute, error) {
	return loadDispute(ctx, q, `ruling = $1`, ruling.String())
}

// LoadDispute returns a dispute that stopped a clock, or ErrNotFound.
func LoadDispute(ctx context.Context, q sqlite.Querier, uri syntax.ATURI) (Dispute, error) {
	return loadDispute(ctx, q, `dispute = $1`, uri.String())
}

func loadDispute(ctx context.Context, q sqlite.Querier, where, arg string) (Dispute, error) {
	d, err := scanDispute(q.QueryRowContext(ctx, `SELECT `+disputeColumns+` FROM dispute WHERE `+where, arg).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return d, fmt.Errorf("%w: a dispute by %s", ErrNotFound, arg)
	}
	if err != nil {
		return d, fmt.Errorf("campaign: read the dispute of %s: %w", arg, err)
	}
	return d, nil
}

// standingOf sums up what stops a campaign's clock.
func standingOf(ctx context.Context, q sqlite.Querier, c Campaign) (s Standing, err error) {
	if !disputable(c) {
		return s, nil
	}
	all, err := DisputesOf(ctx, q, c.Attempt)
	return sumUp(c, all), err
}

// sumUp does so for all of its disputes, in the order in which they were seen.
func sumUp(c Campaign, all []Dispute) (s Standing) {
	for _, d := range all {
		switch {
		case d.Stands():
			if s.Count++; s.Count == 1 {
				s.RulingBy = d.RulingBy
			}
			s.RulingBy = earliest(s.RulingBy, d.RulingBy)
		case d.Ended == EndedUpheld:
			s.Upheld = true
		case d.Ended == EndedRejected && !c.PausedAt.IsZero() && !d.EndedAt.Before(c.PausedAt):
			s.Rejected = true
		}
	}
	for _, stop := range stops(all) {
		if !c.PausedAt.IsZero() && !stop.from.Before(c.PausedAt) && !stop.to.IsZero() {
			s.Stopped += stop.to.Sub(stop.from)
		}
	}
	return s
}

// addDispute keeps one that stops the clock from now on, unless its author had one before.
func addDispute(ctx context.Context, tx *store.Tx, c Campaign, row index.DisputeRow) (added bool, err error) {
	result, err := tx.ExecContext(ctx, `
		INSERT INTO dispute (dispute, cid, attempt, author, reason, seen_at, ruling_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT DO NOTHING`,
		row.URI, row.CID, c.Attempt, row.Author, row.Reason, tx.Now().UnixMilli(), c.rulingBy(tx.Now()).UnixMilli())
	if err != nil {
		return false, fmt.Errorf("campaign: keep the dispute %s: %w", row.URI, err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// endDispute ends one that stands. A clock that was set back ends none before it was seen.
func endDispute(ctx context.Context, tx *store.Tx, d Dispute, how Ended) error {
	_, err := tx.ExecContext(ctx, `UPDATE dispute SET ended = $1, ended_at = max(seen_at, $2) WHERE dispute = $3`, how, tx.Now().UnixMilli(), d.URI)
	if err != nil {
		return fmt.Errorf("campaign: end the dispute %s: %w", d.URI, err)
	}
	return nil
}

// endDisputes ends all of a campaign that stand.
func endDisputes(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey, how Ended) error {
	_, err := tx.ExecContext(ctx, `UPDATE dispute SET ended = $1, ended_at = max(seen_at, $2) WHERE attempt = $3 AND ended IS NULL`,
		how, tx.Now().UnixMilli(), attempt)
	if err != nil {
		return fmt.Errorf("campaign: end the disputes of %s: %w", attempt, err)
	}
	return nil
}

// noteDisputes keeps the disputes that stop the clock from now on, and stops it with them;
// and it ends those that were taken back.
func (d *Driver) noteDisputes(ctx context.Context, c Campaign, t told) error {
	if len(t.disputed)+len(t.withdrawn) == 0 {
		return nil
	}
	fresh, err := d.freshDisputes(ctx, c, t)
	if err != nil || len(fresh)+len(t.withdrawn) == 0 {
		return err
	}
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, err := Load(ctx, tx, c.Attempt)
		if err != nil || !disputable(now) {
			return err
		}
		for _, row := range fresh {
			if now, err = d.dispute(ctx, tx, now, row); err != nil {
				return err
			}
		}
		for _, uri := range t.withdrawn {
			if err := d.withdrawDispute(ctx, tx, now, uri); err != nil {
				return err
			}
		}
		return save(ctx, tx, now)
	})
}

// dispute stops the clock for a dispute, in the transaction that keeps it: whatever becomes
// of it before anybody looks again, the clock stood still meanwhile. Nothing is stopped for
// one by an account that had another one, nor when everybody is to be refunded anyway.
func (d *Driver) dispute(ctx context.Context, tx *store.Tx, c Campaign, row index.DisputeRow) (Campaign, error) {
	s, err := standingOf(ctx, tx, c)
	if err != nil || s.Upheld {
		return c, err
	}
	if c.Phase == lifecycle.PhaseDisputed && s.Count == 0 {
		if c, err = d.bring(ctx, tx, c.resume(tx.Now(), s), lifecycle.PhaseVerifying); err != nil {
			return c, err
		}
	}
	added, err := addDispute(ctx, tx, c, row)
	if err != nil || !added {
		return c, err
	}
	tx.OnCommit(func() {
		d.log.Warn("a release is disputed", "development", c.Development.Uri, "dispute", row.URI, "reason", row.Reason, "rulingBy", c.rulingBy(tx.Now()))
	})
	if c.Phase == lifecycle.PhaseDisputed {
		return c, nil
	}
	return d.bring(ctx, tx, c.pause(tx.Now()), lifecycle.PhaseDisputed)
}

// withdrawDispute ends one that its author took back, unless it was ruled on meanwhile.
func (d *Driver) withdrawDispute(ctx context.Context, tx *store.Tx, c Campaign, uri syntax.ATURI) error {
	dispute, err := LoadDispute(ctx, tx, uri)
	if err != nil || !dispute.Stands() {
		return err
	}
	tx.OnCommit(func() { d.log.Info("a dispute was withdrawn", "development", c.Development.Uri, "dispute", uri) })
	return endDispute(ctx, tx, dispute, EndedWithdrawn)
}

// freshDisputes are those of accounts that had none about the release before.
func (d *Driver) freshDisputes(ctx context.Context, c Campaign, t told) (fresh []index.DisputeRow, err error) {
	var known []Dispute
	err = d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		known, err = DisputesOf(ctx, q, c.Attempt)
		return err
	})
	for _, row := range t.disputed {
		if !slices.ContainsFunc(known, func(d Dispute) bool { return d.Author == row.Author }) {
			fresh = append(fresh, row)
		}
	}
	return fresh, err
}

// resume lets the clock go on when no dispute stands.
func resume(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
	s, err := standingOf(ctx, tx, c)
	if err != nil {
		return c, err
	}
	if s.Count > 0 || s.Upheld {
		return c, fmt.Errorf("%w: %s is disputed", ErrMoved, c.Development.Uri)
	}
	return c.resume(tx.Now(), s), nil
}

// undisputed wants nobody to dispute at the end.
func undisputed(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
	s, err := standingOf(ctx, tx, c)
	if err == nil && (s.Count > 0 || s.Upheld) {
		err = fmt.Errorf("%w: %s is disputed", ErrMoved, c.Development.Uri)
	}
	return c, err
}
