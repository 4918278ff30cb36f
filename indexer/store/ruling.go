package store

import (
	"context"
	"database/sql"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putRuling(ctx context.Context, row typedRow, rec *stratos.EscrowRuling) error {
	return tx.exec(ctx, `
		INSERT INTO ruling (record_id, uri, escrow, dispute_uri, dispute_cid, outcome, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		row.id, row.uri, row.author, rec.Dispute.Uri, rec.Dispute.Cid, rec.Outcome, row.createdAt)
}

const rulingsOf = `
	SELECT g.uri, g.escrow, g.created_at, g.dispute_uri, g.dispute_cid, g.outcome
	FROM dispute x
	JOIN ruling g ON g.dispute_uri = x.uri
	JOIN repo e ON e.did = g.escrow
	WHERE x.development_uri IN (SELECT uri FROM development WHERE proposal_uri = $1
	                            UNION SELECT development_uri FROM campaign WHERE proposal_uri = $1)
	AND e.status = 'active'`

func scanRuling(rows *sql.Rows) (r lifecycle.Ruling, err error) {
	var m metaColumns
	err = rows.Scan(&m.uri, &m.author, &m.createdAt, &r.Dispute.URI, &r.Dispute.CID, &r.Outcome)
	r.Meta = m.meta()
	return r, err
}
