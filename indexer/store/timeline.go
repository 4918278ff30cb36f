package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// EventKind says what happened to a proposal; the lexicon knows the same words.
type EventKind string

// The kinds of events.
const (
	EventProposed           EventKind = "proposed"
	EventAnswered           EventKind = "answered"
	EventDevelopmentStarted EventKind = "development-started"
	EventPreviewAnnounced   EventKind = "preview-announced"
	EventPreviewOpened      EventKind = "preview-opened"
	EventPledged            EventKind = "pledged"
	EventPreviewClosed      EventKind = "preview-closed"
	EventReleased           EventKind = "released"
	EventCancelled          EventKind = "cancelled"
	EventReleaseAccepted    EventKind = "release-accepted"
	EventDisputed           EventKind = "disputed"
	EventDisputeWithdrawn   EventKind = "dispute-withdrawn"
	EventRuled              EventKind = "ruled"
	EventVerified           EventKind = "verified"
	EventDonated            EventKind = "donated"
	EventPaidOut            EventKind = "paid-out"
	EventRefunded           EventKind = "refunded"
)

// moneyEvents are the changes of receipts that timelines tell of.
var moneyEvents = map[lifecycle.ReceiptStatus]EventKind{
	lifecycle.ReceiptHeld: EventPledged, lifecycle.ReceiptReleased: EventPaidOut,
	lifecycle.ReceiptRefunded: EventRefunded, lifecycle.ReceiptPaid: EventDonated,
}

// moneyKinds is the same in a CASE of SQL.
var moneyKinds = func() string {
	var sql strings.Builder
	for status, kind := range moneyEvents {
		fmt.Fprintf(&sql, " WHEN '%s' THEN '%s'", status, kind)
	}
	return sql.String()
}()

// Event is something that happened to a proposal.
type Event struct {
	EventKey
	// Actor did it: who wrote the record, or who paid.
	Actor syntax.DID
	// CID is the version of the record as it stands.
	CID syntax.CID
	// Value is the money that moved, and the pot when a preview closed.
	Value *money.Money
}

// EventKey is the place of an event in a timeline: the order is by all three. URI
// is the record behind it.
type EventKey struct {
	At   time.Time
	URI  syntax.ATURI
	Kind EventKind
}

// Actors says whose records count in a timeline, as lifecycle decides it. Both
// lists are of the moment that the reader answers for.
type Actors struct {
	// Developers may answer (rule 3).
	Developers []syntax.DID
	// Attempts are those of developers, and those that a trusted escrow has a
	// campaign for. What strangers develop, preview or release is no event.
	Attempts []syntax.ATURI
}

// Timeline returns what happened to a proposal, oldest first, after the key of
// the last page. It is made of the fields of records that still exist; of what
// happened to money, of the histories that the escrows keep. Only escrows that
// are trusted are heard. An event that has not happened at the moment, or whose record
// does not exist yet, is not there; one may be gone on a later page with its record.
//
// A page sorts the events of one proposal.
func (r *Reader) Timeline(ctx context.Context, proposal syntax.ATURI, of Actors, after *EventKey, limit int) ([]Event, error) {
	var c clauses
	until := millis(r.now.Add(lifecycle.FutureTolerance))
	attempts, trusted := jsonList(of.Attempts), jsonList(r.policy.TrustedEscrows)
	c.add(`WITH attempt (uri) AS (SELECT value FROM json_each(?)), event AS (
		SELECT p.created_at AS at, p.uri AS uri, 'proposed' AS kind, p.author AS actor, p.record_id AS record_id,
		       NULL AS currency, NULL AS amount
		FROM proposal p WHERE p.uri = ?`, attempts, proposal)
	c.add(` UNION ALL
		SELECT x.created_at, x.uri, 'answered', x.author, x.record_id, NULL, NULL
		FROM response x WHERE x.proposal_uri = ? AND x.author IN (SELECT value FROM json_each(?))`,
		proposal, jsonList(of.Developers))
	c.add(` UNION ALL
		SELECT x.created_at, x.uri, 'development-started', x.author, x.record_id, NULL, NULL
		FROM attempt w JOIN development x ON x.uri = w.uri
		UNION ALL
		SELECT x.created_at, x.uri,
		       CASE x.kind WHEN 'preview' THEN 'preview-announced' WHEN 'release' THEN 'released' ELSE 'cancelled' END,
		       x.author, x.record_id, NULL, NULL
		FROM attempt w JOIN attempt_part x ON x.development_uri = w.uri
		WHERE x.kind IN ('preview', 'release', 'cancellation')
		UNION ALL
		SELECT x.created_at, x.uri, 'verified', x.author, x.record_id, NULL, NULL
		FROM attempt w JOIN verification x ON x.development_uri = w.uri
		UNION ALL
		SELECT x.created_at, x.uri, 'disputed', x.author, x.record_id, NULL, NULL
		FROM attempt w JOIN dispute x ON x.development_uri = w.uri`)
	c.add(`), campaigns AS (
		SELECT x.record_id, x.uri, x.escrow, x.development_uri, x.phase, x.currency,
		       x.opens_at, x.closes_at, x.accepted_at, x.pot, x.pauses
		FROM attempt w JOIN campaign x ON x.development_uri = w.uri
		WHERE x.escrow IN (SELECT value FROM json_each(?)) AND x.test <= ?`, trusted, r.policy.TestMoney)
	c.add(`), escrowed AS (
		SELECT opens_at AS at, uri, 'preview-opened' AS kind, escrow AS actor, record_id, NULL AS currency, NULL AS amount
		FROM campaigns
		UNION ALL
		SELECT closes_at, uri, 'preview-closed', escrow, record_id, currency, pot FROM campaigns
		WHERE pot IS NOT NULL OR phase NOT IN ('refunding', 'refunded') -- else it was given up before
		UNION ALL
		SELECT accepted_at, uri, 'release-accepted', escrow, record_id, NULL, NULL FROM campaigns WHERE accepted_at IS NOT NULL`)
	// A dispute that stopped the clock is remembered when its own record is gone.
	// Without a ruling it was withdrawn when the clock went on.
	c.add(` UNION ALL
		SELECT z.value ->> 'from', campaigns.uri, 'disputed', campaigns.escrow, campaigns.record_id, NULL, NULL
		FROM campaigns, json_each(campaigns.pauses) z
		WHERE NOT EXISTS (SELECT 1 FROM dispute d WHERE d.uri = z.value ->> 'dispute')
		UNION ALL
		SELECT z.value ->> 'to', campaigns.uri, 'dispute-withdrawn', campaigns.escrow, campaigns.record_id, NULL, NULL
		FROM campaigns, json_each(campaigns.pauses) z
		WHERE z.value ->> 'to' IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM dispute d WHERE d.uri = z.value ->> 'dispute')
		AND NOT EXISTS (SELECT 1 FROM ruling g WHERE g.dispute_uri = z.value ->> 'dispute' AND g.escrow = campaigns.escrow)`)
	c.add(`), ruled AS (
		SELECT g.created_at AS at, g.uri, 'ruled' AS kind, g.escrow AS actor, g.record_id, NULL AS currency, NULL AS amount
		FROM campaigns JOIN dispute d ON d.development_uri = campaigns.development_uri
		JOIN ruling g ON g.dispute_uri = d.uri AND g.escrow = campaigns.escrow
		UNION
		SELECT g.created_at, g.uri, 'ruled', g.escrow, g.record_id, NULL, NULL
		FROM campaigns, json_each(campaigns.pauses) z
		JOIN ruling g ON g.dispute_uri = z.value ->> 'dispute' AND g.escrow = campaigns.escrow`)
	c.add(`), money AS (
		SELECT h.value ->> 'at' AS at, t.uri, CASE h.value ->> 'status'` + moneyKinds + ` END AS kind,
		       t.payer AS actor, t.record_id, t.currency, t.amount
		FROM attempt w JOIN receipt t ON t.record_id IN (
			SELECT record_id FROM receipt t WHERE t.development_uri = w.uri AND t.began_at IS NOT NULL AND `)
	r.countedOfFew(&c)
	if after == nil { // what begins later than so many has no event among the first
		c.add(` ORDER BY t.began_at, t.uri`)
		c.limit(limit)
	}
	c.add(`), json_each(t.history) h`)
	c.add(`), happened AS (
		SELECT at, uri, kind, actor, record_id, currency, amount FROM event WHERE at <= ?
		UNION ALL
		SELECT at, uri, kind, actor, record_id, currency, amount FROM ruled WHERE at <= ?
		UNION ALL
		SELECT at, uri, kind, actor, record_id, currency, amount FROM escrowed WHERE at <= ?
		UNION ALL
		SELECT at, uri, kind, actor, record_id, currency, amount FROM money WHERE at <= ? AND kind IS NOT NULL)
		SELECT h.at, h.uri, h.kind, h.actor, r.cid, h.currency, h.amount
		FROM happened h CROSS JOIN record r ON r.id = h.record_id CROSS JOIN repo a ON a.did = r.did
		WHERE a.status = 'active'`, until, until, millis(r.now), millis(r.now))
	if after != nil {
		c.add(` AND (h.at, h.uri, h.kind) > (?, ?, ?)`, millis(after.At), after.URI, after.Kind)
	}
	c.add(` GROUP BY h.at, h.uri, h.kind ORDER BY h.at, h.uri, h.kind`)
	c.limit(limit)
	events, err := collect(ctx, r.tx, c.text.String(), scanEvent, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: timeline of %s: %w", proposal, err)
	}
	return events, nil
}

func scanEvent(rows *sql.Rows) (e Event, err error) {
	var at int64
	var currency sql.NullString
	var amount sql.NullInt64
	err = rows.Scan(&at, &e.URI, &e.Kind, &e.Actor, &e.CID, &currency, &amount)
	e.At = fromMillis(at)
	if amount.Valid {
		e.Value = &money.Money{Amount: amount.Int64, Currency: money.Currency(currency.String)}
	}
	return e, err
}
