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
	Key
	// Collection says which of the three it is.
	Collection syntax.NSID
	Proposal   syntax.ATURI // empty when nobody knows any more
	// Money is what the receipt says; what was offered, while there is none.
	Money money.Money
	// Receipt and Status are empty unless there is a receipt that counts.
	Receipt syntax.ATURI
	Status  lifecycle.ReceiptStatus
	Test    bool
	// Deleted says that the record is gone, and only the receipt is left.
	Deleted bool
}

// ListOwn returns what an account offered and paid, newest first, after the key of the
// last page. It is for the account itself: money whose record it deleted is in it.
func (r *Reader) ListOwn(ctx context.Context, did syntax.DID, after *Key, limit int) ([]OwnRow, error) {
	var c clauses
	// Each part ends with what a page has of it, so that none is read further.
	page := func(createdAt, uri string) {
		c.add(` AND `+createdAt+` <= ?`, millis(r.now.Add(lifecycle.FutureTolerance)))
		if after != nil {
			c.add(` AND (`+createdAt+`, `+uri+`) < (?, ?)`, after.Value, after.URI)
		}
	}
	c.add(`
		SELECT e.created_at AS at, e.uri AS subject, ?, e.proposal_uri, '', '', e.currency, e.amount, '', '', 0, 0
		FROM estimate e WHERE e.author = ?`, lexicons.CollectionEstimate, did)
	page("e.created_at", "e.uri")
	for _, offered := range []struct {
		table      string
		collection syntax.NSID
	}{{"pledge", lexicons.CollectionPledge}, {"donation", lexicons.CollectionDonation}} {
		c.add(`
		UNION ALL
		SELECT x.created_at, x.uri, ?, x.proposal_uri, x.development_uri, x.escrow, x.currency, x.amount, '', '', 0, 0
		FROM `+offered.table+` x WHERE x.author = ?`, offered.collection, did)
		page("x.created_at", "x.uri")
	}
	c.add(`
		UNION ALL
		SELECT t.created_at, t.subject_uri, CASE WHEN t.subject_uri LIKE ? THEN ? ELSE ? END,
		       coalesce(`+receiptProposal+`, ''), '', '', t.currency, t.amount, t.uri, t.status, t.test, 1
		FROM receipt t
		WHERE t.payer = ? AND NOT EXISTS (SELECT 1 FROM pledge p WHERE p.uri = t.subject_uri)
		  AND NOT EXISTS (SELECT 1 FROM donation n WHERE n.uri = t.subject_uri) AND `,
		"%/"+lexicons.CollectionDonation.String()+"/%", lexicons.CollectionDonation, lexicons.CollectionPledge, did)
	r.countedOfFew(&c)
	page("t.created_at", "t.subject_uri")
	c.add(`
		ORDER BY at DESC, subject DESC`)
	c.limit(limit)
	var pledges []about[lifecycle.Pledge]
	var donations []about[lifecycle.Donation]
	rows, err := collect(ctx, r.tx, c.text.String(), func(rows *sql.Rows) (o OwnRow, err error) {
		var attempt syntax.ATURI
		var escrow syntax.DID
		err = rows.Scan(&o.Value, &o.URI, &o.Collection, &o.Proposal, &attempt, &escrow, &o.Money.Currency, &o.Money.Amount,
			&o.Receipt, &o.Status, &o.Test, &o.Deleted)
		meta := lifecycle.Meta{URI: o.URI, Author: did, CreatedAt: fromMillis(o.Value)}
		switch {
		case o.Deleted:
		case o.Collection == lexicons.CollectionPledge:
			pledges = append(pledges, about[lifecycle.Pledge]{lifecycle.Pledge{Meta: meta, Attempt: attempt, Escrow: escrow, Value: o.Money}, o.Proposal})
		case o.Collection == lexicons.CollectionDonation:
			donations = append(donations, about[lifecycle.Donation]{lifecycle.Donation{Meta: meta, Attempt: attempt, Escrow: escrow, Value: o.Money}, o.Proposal})
		}
		return o, err
	}, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list what %s offered and paid: %w", did, err)
	}
	paid, err := r.paid(ctx, pledges, donations)
	if err != nil {
		return nil, fmt.Errorf("store: list what %s offered and paid: %w", did, err)
	}
	for i := range rows {
		if p, ok := paid[rows[i].URI]; ok && !rows[i].Deleted {
			rows[i].Money = p.Value
			rows[i].Receipt, rows[i].Status, rows[i].Test = receiptOf(p)
		}
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
	uris, err := collect(ctx, r.tx, c.text.String(), func(rows *sql.Rows) (uri syntax.ATURI, err error) { return uri, rows.Scan(&uri) }, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list what %s builds: %w", did, err)
	}
	return uris, nil
}
