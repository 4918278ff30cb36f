package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// OwnRow is something that an account offered or paid for a feature: an estimate, a
// pledge or a donation.
type OwnRow struct {
	// Key is when it was offered, or paid, and the record's uri.
	Key
	// Collection says which of the three it is.
	Collection syntax.NSID
	// Proposal is the one that was paid for, or, while there is no receipt, the one that
	// the record names; empty when nobody knows any more.
	Proposal syntax.ATURI
	// Money is what the receipt says; what was offered, while there is none.
	Money money.Money
	// Receipt and Status are empty unless a trusted escrow has a receipt.
	Receipt syntax.ATURI
	Status  lifecycle.ReceiptStatus
	Test    bool
	// Deleted says that the record is gone, and only the receipt is left.
	Deleted bool
	// Moved says that the record names another proposal by now. The money is still where it
	// was paid to.
	Moved bool
}

// ListOwn returns what an account offered and paid, newest first, after the key of the
// last page. It is for the account itself: all money is in it that a trusted escrow has a
// receipt for, whatever became of the record, and whether or not it is part of a
// proposal's funding.
func (r *Reader) ListOwn(ctx context.Context, did syntax.DID, after *Key, limit int) ([]OwnRow, error) {
	var c clauses
	now := millis(r.now.Add(lifecycle.FutureTolerance))
	// Each part ends with what a page has of it, so that none is read further.
	page := func(createdAt, uri string) {
		c.add(` AND `+createdAt+` <= ?`, now)
		if after != nil {
			c.add(` AND (`+createdAt+`, `+uri+`) < (?, ?)`, after.Value, after.URI)
		}
	}
	c.add(`
		SELECT e.created_at AS at, e.uri AS subject, ?, e.proposal_uri, e.currency, e.amount, '', '', 0, 0, 0
		FROM estimate e WHERE e.author = ?`, lexicons.CollectionEstimate, did)
	page("e.created_at", "e.uri")
	for _, offered := range []struct {
		table      string
		collection syntax.NSID
	}{{"pledge", lexicons.CollectionPledge}, {"donation", lexicons.CollectionDonation}} {
		c.add(`
		UNION ALL
		SELECT x.created_at, x.uri, ?, x.proposal_uri, x.currency, x.amount, '', '', 0, 0, 0
		FROM `+offered.table+` x
		WHERE x.author = ? AND NOT EXISTS (
			SELECT 1 FROM receipt t WHERE t.subject_uri = x.uri AND +t.payer = x.author AND t.created_at <= ? AND `,
			offered.collection, did, now)
		r.countedOfFew(&c)
		c.add(`)`)
		page("x.created_at", "x.uri")
	}
	c.add(`
		UNION ALL
		SELECT t.created_at, t.subject_uri, CASE WHEN t.subject_uri LIKE ? THEN ? ELSE ? END,
		       coalesce(`+receiptProposal+`, p.proposal_uri, n.proposal_uri, ''), t.currency, t.amount, t.uri, t.status, t.test,
		       p.uri IS NULL AND n.uri IS NULL, coalesce(coalesce(p.proposal_uri, n.proposal_uri) <> `+receiptProposal+`, 0)
		FROM receipt t
		LEFT JOIN pledge p ON p.uri = t.subject_uri AND p.author = t.payer
		LEFT JOIN donation n ON n.uri = t.subject_uri AND n.author = t.payer
		WHERE t.payer = ? AND `,
		"%/"+lexicons.CollectionDonation.String()+"/%", lexicons.CollectionDonation, lexicons.CollectionPledge, did)
	r.countedOfFew(&c)
	page("t.created_at", "t.subject_uri")
	c.add(`
		ORDER BY at DESC, subject DESC`)
	c.limit(limit)
	rows, err := collect(ctx, r.tx, c.text.String(), func(rows *sql.Rows) (o OwnRow, err error) {
		return o, rows.Scan(&o.Value, &o.URI, &o.Collection, &o.Proposal, &o.Money.Currency, &o.Money.Amount,
			&o.Receipt, &o.Status, &o.Test, &o.Deleted, &o.Moved)
	}, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list what %s offered and paid: %w", did, err)
	}
	return rows, nil
}

// ListBuilt returns the proposals at which an account leads an attempt, or led one that a
// trusted escrow has a campaign of, the newest attempt first.
func (r *Reader) ListBuilt(ctx context.Context, did syntax.DID, limit int) ([]syntax.ATURI, error) {
	var c clauses
	c.add(`
		SELECT proposal_uri FROM (
			SELECT d.proposal_uri, d.created_at AS at FROM development d WHERE d.author = ? AND d.created_at <= ?
			UNION ALL
			SELECT t.proposal_uri, t.created_at FROM campaign t WHERE t.author = ? AND `, did, millis(r.now.Add(lifecycle.FutureTolerance)), did)
	r.countedOfFew(&c)
	c.add(`)
		GROUP BY proposal_uri ORDER BY max(at) DESC, proposal_uri`)
	c.limit(limit)
	uris, err := collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list what %s builds: %w", did, err)
	}
	return uris, nil
}
