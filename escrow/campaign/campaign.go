package campaign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// ErrNotFound is returned for an attempt that has no campaign here.
var ErrNotFound = errors.New("campaign: not found")

// Campaign is what was frozen at the opening of an attempt, and where it stands.
type Campaign struct {
	Attempt ledger.AttemptKey
	// Development, Preview and Proposal are the versions that were frozen, Terms those
	// of the opening (rule 16).
	Development, Preview, Proposal, Terms comatproto.RepoStrongRef

	Author   syntax.DID
	Title    string
	Payees   []Payee
	Currency money.Currency
	// Fee is the published one, in basis points of each pledge.
	Fee int64

	OpensAt, ClosesAt, ReleaseBy, FinalAt time.Time

	Phase               lifecycle.Phase
	OpenedAt, UpdatedAt time.Time
}

// Payee is who gets a part of what is released, and where.
type Payee struct {
	DID     syntax.DID
	Share   int64 // basis points
	Account payments.AccountID
}

// CheckoutsUntil is when the last checkout begins (rule 10).
func (c Campaign) CheckoutsUntil() time.Time { return c.ClosesAt.Add(-lifecycle.CheckoutMargin) }

// Add keeps a campaign that opens, with the moment of the transaction.
func Add(ctx context.Context, tx *store.Tx, c Campaign) error {
	now := tx.Now().UnixMilli()
	_, err := tx.ExecContext(ctx, `
		INSERT INTO campaign (attempt, development, development_cid, preview, preview_cid, proposal, proposal_cid, terms, terms_cid,
			author, title, currency, fee, opens_at, closes_at, release_by, final_at, phase, opened_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		c.Attempt, c.Development.Uri, c.Development.Cid, c.Preview.Uri, c.Preview.Cid, c.Proposal.Uri, c.Proposal.Cid, c.Terms.Uri, c.Terms.Cid,
		c.Author, c.Title, c.Currency, c.Fee, c.OpensAt.UnixMilli(), c.ClosesAt.UnixMilli(), c.ReleaseBy.UnixMilli(), c.FinalAt.UnixMilli(),
		lifecycle.PhaseOpen, now, now)
	if err != nil {
		return fmt.Errorf("campaign: keep that of %s: %w", c.Development.Uri, err)
	}
	for i, p := range c.Payees {
		_, err := tx.ExecContext(ctx, `INSERT INTO campaign_payee (attempt, place, payee, share, account) VALUES ($1, $2, $3, $4, $5)`,
			c.Attempt, i+1, p.DID, p.Share, p.Account)
		if err != nil {
			return fmt.Errorf("campaign: keep the payees of %s: %w", c.Development.Uri, err)
		}
	}
	return nil
}

// Load reads the campaign of an attempt, or returns ErrNotFound.
func Load(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (Campaign, error) {
	c := Campaign{Attempt: attempt}
	var opensAt, closesAt, releaseBy, finalAt, openedAt, updatedAt int64
	err := q.QueryRowContext(ctx, `
		SELECT development, development_cid, preview, preview_cid, proposal, proposal_cid, terms, terms_cid,
			author, title, currency, fee, opens_at, closes_at, release_by, final_at, phase, opened_at, updated_at
		FROM campaign WHERE attempt = $1`, attempt).Scan(
		&c.Development.Uri, &c.Development.Cid, &c.Preview.Uri, &c.Preview.Cid, &c.Proposal.Uri, &c.Proposal.Cid, &c.Terms.Uri, &c.Terms.Cid,
		&c.Author, &c.Title, &c.Currency, &c.Fee, &opensAt, &closesAt, &releaseBy, &finalAt, &c.Phase, &openedAt, &updatedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return Campaign{}, fmt.Errorf("%w: %s", ErrNotFound, attempt)
	}
	if err != nil {
		return Campaign{}, fmt.Errorf("campaign: read %s: %w", attempt, err)
	}
	c.OpensAt, c.ClosesAt, c.ReleaseBy, c.FinalAt = moment(opensAt), moment(closesAt), moment(releaseBy), moment(finalAt)
	c.OpenedAt, c.UpdatedAt = moment(openedAt), moment(updatedAt)
	c.Payees, err = payees(ctx, q, attempt)
	return c, err
}

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func payees(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (list []Payee, err error) {
	rows, err := q.QueryContext(ctx, `SELECT payee, share, account FROM campaign_payee WHERE attempt = $1 ORDER BY place`, attempt)
	if err != nil {
		return nil, fmt.Errorf("campaign: read the payees of %s: %w", attempt, err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Payee
		if err := rows.Scan(&p.DID, &p.Share, &p.Account); err != nil {
			return nil, fmt.Errorf("campaign: read a payee of %s: %w", attempt, err)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
