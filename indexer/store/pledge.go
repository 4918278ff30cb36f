package store

import (
	"context"
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
	c.add(`SELECT `+pledgeColumns+` WHERE x.proposal_uri = ? AND a.status = 'active'`, proposal)
	r.newestFirst(&c, after, limit)
	found, err := collect(ctx, r.tx, c.text.String(), scanPledge, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list the pledges for %s: %w", proposal, err)
	}
	paid, err := r.paid(ctx, found, nil)
	if err != nil {
		return nil, fmt.Errorf("store: list the pledges for %s: %w", proposal, err)
	}
	rows := make([]PledgeRow, 0, len(found))
	for _, p := range found {
		row := PledgeRow{Key: Key{millis(p.fact.CreatedAt), p.fact.URI}, Author: p.fact.Author, Development: p.fact.Attempt}
		row.Receipt, row.Status, row.Test = receiptOf(paid[p.fact.URI])
		rows = append(rows, row)
	}
	return rows, nil
}
