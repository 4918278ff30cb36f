package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func (tx *tx) putEstimate(ctx context.Context, row typedRow, rec *stratos.FeatureEstimate) error {
	e := lifecycle.Estimate{
		Proposal: lifecycle.Ref{URI: syntax.ATURI(rec.Proposal.Uri), CID: syntax.CID(rec.Proposal.Cid)},
		Value:    money.Money{Amount: rec.Value.Amount, Currency: money.Currency(rec.Value.Currency)},
	}
	before, err := tx.before(ctx, row, e)
	if err != nil {
		return err
	}
	e.Largest = before.largest
	counts := newStandingEstimate(row.id, e.Count())
	overtakes := before.overtakenBy(row)
	stands := overtakes && before.known()
	if !stands {
		counts.counted, counts.proven = sql.NullInt64{}, false
	}
	err = tx.exec(ctx, `
		INSERT INTO estimate (record_id, uri, author, proposal_uri, proposal_cid, currency, amount, created_at, stands, counted, proven)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		row.id, row.uri, row.author, e.Proposal.URI, e.Proposal.CID, e.Value.Currency, e.Value.Amount, row.createdAt,
		stands, counts.counted, counts.proven)
	if err != nil {
		return err
	}
	switch {
	case row.createdAt > millis(existing(tx.now)):
		return tx.exec(ctx, `INSERT INTO estimate_ahead (record_id, proposal_uri) VALUES ($1, $2)`, row.id, e.Proposal.URI)
	case overtakes && !stands:
		return tx.recount(ctx, e.Proposal.URI, row.author)
	case !stands:
		return nil
	case before.newest != nil:
		if err := tx.fall(ctx, e.Proposal.URI, before.newest.standingEstimate); err != nil {
			return err
		}
	}
	return tx.changeSum(ctx, e.Proposal.URI, counts, (*lifecycle.EstimateSum).Add)
}

// before is what an estimate that is about to be stored finds.
type before struct {
	until   int64 // as in tallied
	counts  bool  // sums are kept of the proposal, and the account is active
	largest int64 // the account's standing
	newest  *newestEstimate
}

// newestEstimate is the account's newest that may count for the proposal. It
// stands, unless it was dated ahead and was not counted since.
type newestEstimate struct {
	standingEstimate
	createdAt int64
	uri       syntax.ATURI
	stands    bool
}

// before looks all of that up at once, since most of what arrives are estimates. The
// index is named: SQLite would rather go through all estimates for the proposal, which
// are in the order asked for, than sort the few of the account.
func (tx *tx) before(ctx context.Context, row typedRow, e lifecycle.Estimate) (b before, err error) {
	var record, createdAt, counted sql.NullInt64
	var uri, version, currency sql.NullString
	var stands, proven sql.NullBool
	err = tx.QueryRowContext(ctx, `
		SELECT t.until, a.status = 'active', coalesce(s.largest, 0),
		       e.record_id, e.created_at, e.uri, e.proposal_cid, e.currency, e.stands, e.counted, e.proven
		FROM tallied t
		JOIN repo a ON a.did = $1
		LEFT JOIN standing s ON s.did = $1 AND s.currency = $2
		LEFT JOIN estimate e ON e.record_id = (
			SELECT record_id FROM estimate INDEXED BY estimate_author
			WHERE author = $1 AND proposal_uri = $3 AND created_at <= min(t.until, $4)
			ORDER BY created_at DESC, uri DESC LIMIT 1)
		WHERE t.proposal_uri = $3`, row.author, e.Value.Currency, e.Proposal.URI, millis(existing(tx.now))).
		Scan(&b.until, &b.counts, &b.largest, &record, &createdAt, &uri, &version, &currency, &stands, &counted, &proven)
	if errors.Is(err, sql.ErrNoRows) {
		return before{}, nil
	}
	if err != nil {
		return before{}, fmt.Errorf("look up the estimates of %s for %s: %w", row.author, e.Proposal.URI, err)
	}
	b.until = min(b.until, millis(existing(tx.now)))
	if record.Valid {
		b.newest = &newestEstimate{
			standingEstimate{record.Int64, syntax.CID(version.String), money.Currency(currency.String), counted, proven.Bool},
			createdAt.Int64, syntax.ATURI(uri.String), stands.Bool,
		}
	}
	return b, nil
}

// overtakenBy reports whether a new estimate stands in the place of what was
// before.
func (b before) overtakenBy(row typedRow) bool {
	if !b.counts || row.createdAt > b.until {
		return false
	}
	n := b.newest
	return n == nil || row.createdAt > n.createdAt || row.createdAt == n.createdAt && row.uri > n.uri
}

// known: the newest is the one that stands, if any does.
func (b before) known() bool { return b.newest == nil || b.newest.stands }

// removeEstimate deletes an estimate with its record.
func (tx *tx) removeEstimate(ctx context.Context, id int64) error {
	var proposal syntax.ATURI
	var author syntax.DID
	var stands bool
	var e standingEstimate
	err := tx.QueryRowContext(ctx, `
		SELECT proposal_uri, author, stands, record_id, proposal_cid, currency, counted, proven FROM estimate WHERE record_id = $1`, id).
		Scan(&proposal, &author, &stands, &e.record, &e.version, &e.currency, &e.counted, &e.proven)
	if errors.Is(err, sql.ErrNoRows) {
		return tx.exec(ctx, `DELETE FROM record WHERE id = $1`, id) // an invalid one
	}
	if err != nil {
		return fmt.Errorf("look up the estimate: %w", err)
	}
	if err := tx.exec(ctx, `DELETE FROM record WHERE id = $1`, id); err != nil {
		return err
	}
	tx.makeStale(proposal, byEstimates)
	if !stands {
		return nil
	}
	if err := tx.changeSum(ctx, proposal, e, (*lifecycle.EstimateSum).Remove); err != nil {
		return err
	}
	return tx.recount(ctx, proposal, author)
}
