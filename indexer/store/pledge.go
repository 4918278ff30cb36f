package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putPledge(ctx context.Context, row typedRow, rec *stratos.FeaturePledge) error {
	return tx.exec(ctx, `
		INSERT INTO pledge (record_id, uri, author, proposal_uri, proposal_cid, development_uri, development_cid,
		                    escrow, currency, amount, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Proposal.Cid, rec.Development.Uri, rec.Development.Cid,
		rec.Escrow, rec.Value.Currency, rec.Value.Amount, row.createdAt)
}

// PledgeRow is a pledge in a list, and where its money is.
type PledgeRow struct {
	Key
	Author      syntax.DID
	Development syntax.ATURI
	// Receipt and Status are empty while the pledge is a wish: the escrow that
	// it names has no receipt for it, or none that counts.
	Receipt syntax.ATURI
	Status  lifecycle.ReceiptStatus
	Test    bool
}

// ListPledges returns the pledges for a proposal, newest first, after the key of
// the last page. Money of a pledge whose record its author deleted is in the
// receipts, and not in this list.
func (r *Reader) ListPledges(ctx context.Context, proposal syntax.ATURI, after *Key, limit int) ([]PledgeRow, error) {
	var c clauses
	c.add(`SELECT x.created_at, x.uri, x.author, x.development_uri, t.uri, t.status, t.test
		FROM pledge x JOIN repo a ON a.did = x.author
		LEFT JOIN receipt t ON t.subject_uri = x.uri AND t.escrow = x.escrow AND `)
	r.counted(&c)
	c.add(` WHERE x.proposal_uri = ? AND a.status = 'active'`, proposal)
	r.newestFirst(&c, after, limit)
	rows, err := collect(ctx, r.tx, c.text.String(), func(rows *sql.Rows) (p PledgeRow, err error) {
		var paid receiptColumns
		err = rows.Scan(&p.Value, &p.URI, &p.Author, &p.Development, &paid.uri, &paid.status, &paid.test)
		p.Receipt, p.Status, p.Test = paid.values()
		return p, err
	}, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list the pledges for %s: %w", proposal, err)
	}
	return rows, nil
}
