package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putDonation(ctx context.Context, row typedRow, rec *stratos.FeatureDonation) error {
	return tx.exec(ctx, `
		INSERT INTO donation (record_id, uri, author, proposal_uri, proposal_cid, development_uri, development_cid,
		                      escrow, currency, amount, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Proposal.Cid, rec.Development.Uri, rec.Development.Cid,
		rec.Escrow, rec.Value.Currency, rec.Value.Amount, row.createdAt)
}

// DonationRow is a donation in a list, and what the escrow that it names says
// of its payment.
type DonationRow struct {
	Key
	Author      syntax.DID
	Development syntax.ATURI
	// Receipt and Status are empty unless there is a receipt that counts.
	Receipt syntax.ATURI
	Status  lifecycle.ReceiptStatus
	Test    bool
}

// ListDonations returns the donations for a proposal, newest first, after the
// key of the last page.
func (r *Reader) ListDonations(ctx context.Context, proposal syntax.ATURI, after *Key, limit int) ([]DonationRow, error) {
	var c clauses
	c.add(`SELECT `+donationColumns+` WHERE x.proposal_uri = ? AND a.status = 'active'`, proposal)
	r.newestFirst(&c, after, limit)
	found, err := collect(ctx, r.tx, c.text.String(), scanDonation, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list the donations for %s: %w", proposal, err)
	}
	paid, err := r.paid(ctx, nil, found)
	if err != nil {
		return nil, fmt.Errorf("store: list the donations for %s: %w", proposal, err)
	}
	rows := make([]DonationRow, 0, len(found))
	for _, d := range found {
		row := DonationRow{Key: Key{millis(d.fact.CreatedAt), d.fact.URI}, Author: d.fact.Author, Development: d.fact.Attempt}
		row.Receipt, row.Status, row.Test = receiptOf(paid[d.fact.URI])
		rows = append(rows, row)
	}
	return rows, nil
}

// donationColumns goes after SELECT and before WHERE.
const donationColumns = `
	x.uri, x.author, x.created_at, x.development_uri, x.escrow, x.currency, x.amount, x.proposal_uri
	FROM donation x JOIN repo a ON a.did = x.author`

const donationsOf = `SELECT ` + donationColumns + ` WHERE x.proposal_uri = $1 AND a.status = 'active'`

func scanDonation(rows *sql.Rows) (f about[lifecycle.Donation], err error) {
	var m metaColumns
	err = rows.Scan(&m.uri, &m.author, &m.createdAt, &f.fact.Attempt, &f.fact.Escrow, &f.fact.Value.Currency, &f.fact.Value.Amount, &f.proposal)
	f.fact.Meta = m.meta()
	return f, err
}
