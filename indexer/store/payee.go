package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// ListPaying returns the proposals at which others lead attempts that name an account as
// a payee. Those come first of which it agreed to one, or a trusted escrow froze one:
// anybody can name it. The newest attempt decides among them.
func (r *Reader) ListPaying(ctx context.Context, did syntax.DID, limit int) ([]syntax.ATURI, error) {
	var c clauses
	c.add(`
		SELECT proposal_uri FROM (
			SELECT d.proposal_uri, d.created_at AS at, EXISTS (
			           SELECT 1 FROM attempt_part n WHERE n.development_uri = d.uri AND n.author = ? AND n.kind = ?) AS agreed
			FROM development_payee y JOIN development d ON d.record_id = y.record_id
			WHERE y.did = ? AND d.author <> ? AND d.created_at <= ?
			UNION ALL
			SELECT t.proposal_uri, t.created_at, 1 FROM campaign_payee y JOIN campaign t ON t.record_id = y.record_id
			WHERE y.did = ? AND t.author <> ? AND `,
		did, partConsent, did, did, millis(r.now.Add(lifecycle.FutureTolerance)), did, did)
	r.countedOfFew(&c)
	c.add(`)
		GROUP BY proposal_uri ORDER BY max(agreed) DESC, max(at) DESC, proposal_uri`)
	c.limit(limit)
	uris, err := collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list what pays %s: %w", did, err)
	}
	return uris, nil
}

// PayoutRow is a campaign of which an account is a payee, and where its money is. What
// each payee got of it no record says.
type PayoutRow struct {
	Key         // of the campaign
	Development syntax.ATURI
	Proposal    syntax.ATURI
	Phase       lifecycle.Phase
	Share       int64 // of the account, in basis points
	// Held, Releasing and Released are sums of what was pledged and is there now, for all
	// payees and with the fee; Fee is what the operator has of it, once released.
	Held, Releasing, Released, Fee money.Money
	// Expected is when the last of what is on its way should arrive; nil where nobody says.
	Expected *time.Time
	Test     bool
}

// ListPayouts returns the campaigns of trusted escrows of which an account is a payee,
// newest first, after the key of the last page.
func (r *Reader) ListPayouts(ctx context.Context, did syntax.DID, after *Key, limit int) ([]PayoutRow, error) {
	var c clauses
	c.add(`
		SELECT campaigns.created_at, campaigns.uri, campaigns.development_uri, campaigns.proposal_uri, campaigns.phase, campaigns.share, campaigns.currency, campaigns.test,
		       coalesce(sum(x.amount) FILTER (WHERE x.status = 'held'), 0),
		       coalesce(sum(x.amount) FILTER (WHERE x.status = 'releasing'), 0),
		       coalesce(sum(x.amount) FILTER (WHERE x.status = 'released'), 0),
		       coalesce(sum(x.fee) FILTER (WHERE x.status IN ('releasing', 'released')), 0),
		       max(x.expected_at) FILTER (WHERE x.status = 'releasing')
		FROM (
			SELECT t.created_at, t.uri, t.escrow, t.development_uri, t.proposal_uri, t.phase, y.share, t.currency, t.test
			FROM campaign_payee y JOIN campaign t ON t.record_id = y.record_id
			WHERE y.did = ? AND t.created_at <= ? AND `, did, millis(r.now.Add(lifecycle.FutureTolerance)))
	r.countedOfFew(&c)
	if after != nil {
		c.add(` AND (t.created_at, t.uri) < (?, ?)`, after.Value, after.URI)
	}
	c.add(`
			ORDER BY t.created_at DESC, t.uri DESC`)
	c.limit(limit)
	// A donation goes straight to its developer, and is no part of what payees share.
	c.add(`) campaigns
		LEFT JOIN receipt x ON x.development_uri = campaigns.development_uri AND +x.escrow = campaigns.escrow AND x.test = campaigns.test
			AND x.currency = campaigns.currency AND x.created_at <= ? AND x.subject_uri LIKE ?
		GROUP BY campaigns.uri ORDER BY campaigns.created_at DESC, campaigns.uri DESC`,
		millis(r.now.Add(lifecycle.FutureTolerance)), "%/"+lexicons.CollectionPledge.String()+"/%")
	rows, err := collect(ctx, r.tx, c.text.String(), scanPayout, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list the payouts of %s: %w", did, err)
	}
	return rows, nil
}

func scanPayout(rows *sql.Rows) (p PayoutRow, err error) {
	var currency money.Currency
	var expected sql.NullInt64
	err = rows.Scan(&p.Value, &p.URI, &p.Development, &p.Proposal, &p.Phase, &p.Share, &currency, &p.Test,
		&p.Held.Amount, &p.Releasing.Amount, &p.Released.Amount, &p.Fee.Amount, &expected)
	for _, sum := range []*money.Money{&p.Held, &p.Releasing, &p.Released, &p.Fee} {
		sum.Currency = currency
	}
	p.Expected = optionalTime(expected)
	return p, err
}
