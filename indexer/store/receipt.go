package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// receiptChange is an element of the column history.
type receiptChange struct {
	Status string `json:"status"`
	At     int64  `json:"at"`
	Reason string `json:"reason,omitempty"`
}

func (tx *tx) putReceipt(ctx context.Context, row typedRow, rec *stratos.EscrowReceipt) error {
	history := make([]receiptChange, 0, len(rec.History))
	var began sql.NullInt64
	events := make([]time.Time, 0, len(rec.History)) // the moments at which the timeline tells of them
	for _, h := range rec.History {
		at, err := parseMillis("history", h.At)
		if err != nil {
			return err
		}
		history = append(history, receiptChange{Status: h.Status, At: at, Reason: orEmpty(h.Reason)})
		events = append(events, fromMillis(at))
		if _, told := moneyEvents[lifecycle.ReceiptStatus(h.Status)]; told && (!began.Valid || at < began.Int64) {
			began = sql.NullInt64{Int64: at, Valid: true}
		}
	}
	if err := tx.noteMoments(ctx, events...); err != nil {
		return err
	}
	expected, err := optionalMillis("expectedAt", rec.ExpectedAt)
	if err != nil {
		return err
	}
	until, err := optionalMillis("heldUntil", rec.HeldUntil)
	if err != nil {
		return err
	}
	updated, err := parseMillis("updatedAt", rec.UpdatedAt)
	if err != nil {
		return err
	}
	var fee sql.NullInt64
	if rec.Fee != nil {
		fee = sql.NullInt64{Int64: rec.Fee.Amount, Valid: true}
	}
	var proposal sql.NullString
	if rec.Proposal != nil {
		proposal = sql.NullString{String: rec.Proposal.Uri, Valid: true}
	}
	return tx.exec(ctx, `
		INSERT INTO receipt (record_id, uri, escrow, subject_uri, subject_cid, payer, development_uri, development_cid,
		                     proposal_uri, terms_uri, currency, amount, fee, status, reason, history,
		                     began_at, expected_at, held_until, test, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
		row.id, row.uri, row.author, rec.Subject.Uri, rec.Subject.Cid, rec.Payer, rec.Development.Uri, rec.Development.Cid,
		proposal, rec.Terms.Uri, rec.Value.Currency, rec.Value.Amount, fee, rec.Status, nullString(rec.Reason), jsonText(history),
		began, expected, until, isTrue(rec.Test), row.createdAt, updated)
}

// counted adds the condition that the receipt, or campaign, t counts: its escrow
// is trusted and not hidden, and its money real unless the policy counts test
// money.
func (r *Reader) counted(c *clauses) {
	c.add(`t.escrow IN (SELECT value FROM json_each(?)) AND t.test <= ?`, jsonList(r.policy.TrustedEscrows), r.policy.TestMoney)
	c.add(escrowActive)
}

// countedOfFew is counted for a t that is found by something else already. The signs keep
// the planner from all receipts of an escrow, which it takes for few.
func (r *Reader) countedOfFew(c *clauses) {
	c.add(`+t.escrow IN (SELECT value FROM json_each(?)) AND +t.test <= ?`, jsonList(r.policy.TrustedEscrows), r.policy.TestMoney)
	c.add(escrowActive)
}

const escrowActive = `
		AND EXISTS (SELECT 1 FROM repo e WHERE e.did = t.escrow AND e.status = 'active')`

// receiptProposal is the proposal that the receipt t names. It says so itself, or
// else its campaign, or else the development, which may have changed since, or be
// gone: then it is NULL. Whether it is part of that one's funding is another
// question, and not one for SQL: see paid.
const receiptProposal = `coalesce(t.proposal_uri,
	(SELECT w.proposal_uri FROM campaign w WHERE w.development_uri = t.development_uri AND w.escrow = t.escrow),
	(SELECT d.proposal_uri FROM development d WHERE d.uri = t.development_uri))`

// parseMillis reads a time that the lexicon calls a datetime.
func parseMillis(field, value string) (int64, error) {
	t, err := syntax.ParseDatetimeTime(value)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", field, err)
	}
	return millis(t), nil
}

func optionalMillis(field string, value *string) (out sql.NullInt64, err error) {
	if value == nil {
		return out, nil
	}
	out.Int64, err = parseMillis(field, *value)
	out.Valid = err == nil
	return out, err
}

func optionalTime(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := fromMillis(ms.Int64)
	return &t
}

// receiptColumns goes after SELECT and before WHERE.
const receiptColumns = `
	t.uri, t.escrow, t.created_at, t.subject_uri, t.subject_cid, t.development_uri, coalesce(t.proposal_uri, ''),
	t.payer, t.currency, t.amount, t.status, t.expected_at, t.held_until, t.test
	FROM receipt t JOIN repo e ON e.did = t.escrow`

// receiptsFor finds the receipts of some escrows for a pledge or donation.
const receiptsFor = `SELECT ` + receiptColumns + `
	WHERE t.subject_uri = $1 AND t.escrow IN (SELECT value FROM json_each($2)) AND e.status = 'active'`

// receiptsOf finds the receipts that pin a proposal, that are for an attempt at it,
// and that are for a pledge or donation to it.
const receiptsOf = `SELECT ` + receiptColumns + `
	WHERE t.record_id IN (
		SELECT record_id FROM receipt WHERE proposal_uri = $1
		UNION
		SELECT x.record_id FROM development d JOIN receipt x ON x.development_uri = d.uri WHERE d.proposal_uri = $1
		UNION
		SELECT x.record_id FROM campaign c JOIN receipt x ON x.development_uri = c.development_uri WHERE c.proposal_uri = $1
		UNION
		SELECT x.record_id FROM pledge p JOIN receipt x ON x.subject_uri = p.uri WHERE p.proposal_uri = $1
		UNION
		SELECT x.record_id FROM donation n JOIN receipt x ON x.subject_uri = n.uri WHERE n.proposal_uri = $1)
	AND e.status = 'active'`

// overdueOf are those of receiptsOf that count for the proposal, if they do, and whose
// money is held although its time, or the final date of its campaign, was before $2.
const overdueOf = `SELECT ` + receiptColumns + `
	WHERE t.record_id IN (
		SELECT record_id FROM receipt WHERE proposal_uri = $1
		UNION ALL
		SELECT x.record_id FROM development d JOIN receipt x ON x.development_uri = d.uri WHERE d.proposal_uri = $1
		UNION ALL
		SELECT x.record_id FROM campaign c JOIN receipt x ON x.development_uri = c.development_uri WHERE c.proposal_uri = $1)
	AND e.status = 'active' AND t.status = 'held'
	AND (t.held_until <= $2 OR EXISTS (SELECT 1 FROM campaign WHERE development_uri = t.development_uri AND final_at <= $2))`

func scanReceipt(rows *sql.Rows) (r lifecycle.Receipt, err error) {
	var m metaColumns
	var expected, until sql.NullInt64
	err = rows.Scan(&m.uri, &m.author, &m.createdAt, &r.Subject.URI, &r.Subject.CID, &r.Attempt, &r.Proposal,
		&r.Payer, &r.Value.Currency, &r.Value.Amount, &r.Status, &expected, &until, &r.Test)
	r.Meta, r.ExpectedAt, r.HeldUntil = m.meta(), optionalTime(expected), optionalTime(until)
	return r, err
}
