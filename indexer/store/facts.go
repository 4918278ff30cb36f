package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// related says which kinds of records there are about proposals, of accounts of
// whatever status. Most proposals have few kinds, and what is not there need not
// be asked for.
type related struct {
	maintainers, claims, responses, developments, campaigns, pledges, donations, receipts, estimates bool
	ahead                                                                                            bool // estimates that were dated ahead
}

func (r *related) add(o related) {
	r.maintainers = r.maintainers || o.maintainers
	r.claims = r.claims || o.claims
	r.responses = r.responses || o.responses
	r.developments = r.developments || o.developments
	r.campaigns = r.campaigns || o.campaigns
	r.pledges = r.pledges || o.pledges
	r.donations = r.donations || o.donations
	r.receipts = r.receipts || o.receipts
	r.estimates = r.estimates || o.estimates
	r.ahead = r.ahead || o.ahead
}

const proposalsOf = `
	SELECT p.uri, (SELECT cid FROM record WHERE id = p.record_id), p.author, p.created_at,
	       p.subject_project, p.subject_account, p.subject_uri,
	       j.uri, j.owner, j.created_at,
	       j.uri IS NOT NULL AND EXISTS (SELECT 1 FROM project_maintainer WHERE record_id = j.record_id),
	       EXISTS (SELECT 1 FROM claim WHERE uri = p.subject_uri_normalized AND state = 'verified'),
	       EXISTS (SELECT 1 FROM response WHERE proposal_uri = p.uri),
	       EXISTS (SELECT 1 FROM development WHERE proposal_uri = p.uri),
	       EXISTS (SELECT 1 FROM campaign WHERE proposal_uri = p.uri),
	       EXISTS (SELECT 1 FROM pledge WHERE proposal_uri = p.uri),
	       EXISTS (SELECT 1 FROM donation WHERE proposal_uri = p.uri),
	       EXISTS (SELECT 1 FROM receipt WHERE proposal_uri = p.uri),
	       EXISTS (SELECT 1 FROM estimate WHERE proposal_uri = p.uri),
	       EXISTS (SELECT 1 FROM estimate_ahead WHERE proposal_uri = p.uri),
	       t.until
	FROM proposal p
	JOIN repo a ON a.did = p.author
	LEFT JOIN tallied t ON t.proposal_uri = p.uri
	LEFT JOIN project j ON j.uri = p.subject_project
	     AND EXISTS (SELECT 1 FROM repo o WHERE o.did = j.owner AND o.status = 'active')
	WHERE p.uri = $1 AND a.status = 'active'`

// proposalRow is a proposal, its project but for the maintainers, and what else
// there is.
type proposalRow struct {
	facts lifecycle.Facts
	has   related
	until sql.NullInt64 // as in tallied
}

func scanProposal(rows *sql.Rows) (row proposalRow, err error) {
	var p, j metaColumns
	var project, account, subjectURI, projectURI, owner sql.NullString
	var projectCreated sql.NullInt64
	f, has := &row.facts, &row.has
	err = rows.Scan(&p.uri, &p.cid, &p.author, &p.createdAt, &project, &account, &subjectURI,
		&projectURI, &owner, &projectCreated,
		&has.maintainers, &has.claims, &has.responses, &has.developments, &has.campaigns,
		&has.pledges, &has.donations, &has.receipts, &has.estimates, &has.ahead, &row.until)
	if err != nil {
		return row, err
	}
	f.Proposal.Meta = p.meta()
	f.Proposal.Subject = lifecycle.Subject{
		Project: syntax.ATURI(project.String),
		Account: syntax.DID(account.String),
		URI:     subjectURI.String,
	}
	if projectURI.Valid {
		j = metaColumns{uri: syntax.ATURI(projectURI.String), author: syntax.DID(owner.String), createdAt: projectCreated.Int64}
		f.Project = &lifecycle.Project{Meta: j.meta()}
	}
	return row, nil
}

const responsesOf = `
	SELECT r.uri, r.author, r.created_at, r.proposal_uri, r.proposal_cid, r.answer, coalesce(r.duplicate_of, '')
	FROM response r JOIN repo a ON a.did = r.author
	WHERE r.proposal_uri = $1 AND a.status = 'active'`

func scanResponse(rows *sql.Rows) (r lifecycle.Response, err error) {
	var m metaColumns
	err = rows.Scan(&m.uri, &m.author, &m.createdAt, &r.Proposal.URI, &r.Proposal.CID, &r.Answer, &r.DuplicateOf)
	r.Meta = m.meta()
	return r, err
}

const developmentsOf = `
	SELECT d.uri, r.cid, d.author, d.created_at, d.proposal_uri, d.proposal_cid, d.currency, d.goal_currency, d.goal_amount,
	       d.escrow, coalesce(d.donations, ''), d.expected_at,
	       (SELECT json_group_array(did) FROM development_payee WHERE record_id = d.record_id)
	FROM development d JOIN record r ON r.id = d.record_id JOIN repo a ON a.did = d.author
	WHERE d.proposal_uri = $1 AND a.status = 'active'`

func scanDevelopment(rows *sql.Rows) (d lifecycle.Development, err error) {
	var m metaColumns
	var currency sql.NullString
	var amount, expected sql.NullInt64
	var payees []byte
	err = rows.Scan(&m.uri, &m.cid, &m.author, &m.createdAt, &d.Proposal.URI, &d.Proposal.CID, &d.Currency, &currency, &amount,
		&d.Escrow, &d.Donations, &expected, &payees)
	if err != nil {
		return d, err
	}
	d.Meta, d.ExpectedAt = m.meta(), optionalTime(expected)
	if currency.Valid {
		d.Goal = &money.Money{Amount: amount.Int64, Currency: money.Currency(currency.String)}
	}
	return d, json.Unmarshal(payees, &d.Payees)
}

const partsOf = `
	SELECT t.uri, r.cid, t.author, t.created_at, t.kind, t.development_uri, t.opens_at, t.closes_at
	FROM attempt_part t
	JOIN record r ON r.id = t.record_id
	JOIN repo a ON a.did = t.author
	WHERE t.development_uri IN (SELECT uri FROM development WHERE proposal_uri = $1
	                            UNION SELECT development_uri FROM campaign WHERE proposal_uri = $1)
	AND a.status = 'active'`

// attemptPart is a row of attempt_part.
type attemptPart struct {
	lifecycle.Meta
	kind          string
	attempt       syntax.ATURI
	opens, closes sql.NullInt64
}

func scanPart(rows *sql.Rows) (p attemptPart, err error) {
	var m metaColumns
	err = rows.Scan(&m.uri, &m.cid, &m.author, &m.createdAt, &p.kind, &p.attempt, &p.opens, &p.closes)
	p.Meta = m.meta()
	if err == nil && !slices.Contains(partKinds, p.kind) {
		err = fmt.Errorf("load %s: unknown kind %q", p.URI, p.kind)
	}
	return p, err
}

func (p attemptPart) addTo(f *lifecycle.Facts) {
	switch p.kind {
	case partPreview:
		f.Previews = append(f.Previews, lifecycle.Preview{
			Meta: p.Meta, Attempt: p.attempt,
			OpensAt: fromMillis(p.opens.Int64), ClosesAt: fromMillis(p.closes.Int64),
		})
	case partRelease:
		f.Releases = append(f.Releases, lifecycle.Release{Meta: p.Meta, Attempt: p.attempt})
	case partCancellation:
		f.Cancellations = append(f.Cancellations, lifecycle.Cancellation{Meta: p.Meta, Attempt: p.attempt})
	case partConsent:
		f.Consents = append(f.Consents, lifecycle.Consent{Meta: p.Meta, Attempt: p.attempt})
	}
}

// estimateColumns goes after SELECT and before WHERE.
const estimateColumns = `
	e.uri, e.author, e.created_at, e.proposal_uri, e.proposal_cid, e.currency, e.amount, coalesce(s.largest, 0)
	FROM estimate e
	JOIN repo a ON a.did = e.author
	LEFT JOIN standing s ON s.did = e.author AND s.currency = e.currency`

const estimatesOf = `SELECT ` + estimateColumns + ` WHERE e.proposal_uri = $1 AND a.status = 'active'`

func scanEstimate(rows *sql.Rows) (lifecycle.Estimate, error) { return scanEstimateAfter(rows) }

// scanEstimateAfter scans other columns first.
func scanEstimateAfter(rows *sql.Rows, others ...any) (e lifecycle.Estimate, err error) {
	var m metaColumns
	err = rows.Scan(append(others, &m.uri, &m.author, &m.createdAt, &e.Proposal.URI, &e.Proposal.CID,
		&e.Value.Currency, &e.Value.Amount, &e.Largest)...)
	e.Meta = m.meta()
	return e, err
}

// pledgeColumns goes after SELECT and before WHERE.
const pledgeColumns = `
	x.uri, x.author, x.created_at, x.development_uri, x.escrow, x.currency, x.amount, x.proposal_uri
	FROM pledge x JOIN repo a ON a.did = x.author`

const pledgesOf = `SELECT ` + pledgeColumns + ` WHERE x.proposal_uri = $1 AND a.status = 'active'`

func scanPledge(rows *sql.Rows) (f about[lifecycle.Pledge], err error) {
	var m metaColumns
	err = rows.Scan(&m.uri, &m.author, &m.createdAt, &f.fact.Attempt, &f.fact.Escrow, &f.fact.Value.Currency, &f.fact.Value.Amount, &f.proposal)
	f.fact.Meta = m.meta()
	return f, err
}

func loadStandings(ctx context.Context, q querier, did syntax.DID) ([]lifecycle.Standing, error) {
	out, err := collect(ctx, q, `
		SELECT currency, largest, receipt_uri FROM standing WHERE did = $1 ORDER BY currency`,
		func(rows *sql.Rows) (s lifecycle.Standing, err error) {
			err = rows.Scan(&s.Currency, &s.Largest, &s.Receipt)
			return s, err
		}, did)
	if err != nil {
		return nil, fmt.Errorf("load standings: %w", err)
	}
	return out, nil
}

// loadReceipts gathers the receipts that name the payer, each with the accounts
// for whose own work it was. The payees are those of the escrow's campaign,
// which pinned them; without one, those of the development as it stands.
func loadReceipts(ctx context.Context, q querier, payer syntax.DID) ([]lifecycle.Receipt, error) {
	type row struct {
		lifecycle.Receipt
		development syntax.ATURI
	}
	found, err := collect(ctx, q, `
		SELECT t.uri, t.escrow, t.created_at, t.payer, t.currency, t.amount, t.status, t.test, t.development_uri
		FROM receipt t JOIN repo a ON a.did = t.escrow
		WHERE t.payer = $1 AND a.status = 'active'
		ORDER BY t.uri`,
		func(rows *sql.Rows) (r row, err error) {
			var m metaColumns
			err = rows.Scan(&m.uri, &m.author, &m.createdAt, &r.Payer, &r.Value.Currency, &r.Value.Amount, &r.Status, &r.Test, &r.development)
			r.Meta = m.meta()
			return r, err
		}, payer)
	if err != nil {
		return nil, fmt.Errorf("load receipts: %w", err)
	}
	out := make([]lifecycle.Receipt, 0, len(found))
	for _, r := range found {
		if r.Team, err = loadTeam(ctx, q, r.development, r.Author); err != nil {
			return nil, err
		}
		out = append(out, r.Receipt)
	}
	return out, nil
}

// loadTeam lists the developer, payees, owner and maintainers of a piece of work,
// as far as records of active accounts say (F5).
func loadTeam(ctx context.Context, q querier, development syntax.ATURI, escrow syntax.DID) ([]syntax.DID, error) {
	var team []syntax.DID
	if author, err := development.Authority().AsDID(); err == nil {
		team = append(team, author)
	}
	more, err := collect(ctx, q, `
		WITH pinned AS (
			SELECT record_id, proposal_uri FROM campaign WHERE development_uri = $1 AND escrow = $2
		), work AS (
			SELECT d.record_id, d.proposal_uri FROM development d JOIN repo a ON a.did = d.author
			WHERE d.uri = $1 AND a.status = 'active'
		), project_of AS (
			SELECT j.record_id, j.owner FROM proposal p
			JOIN repo a ON a.did = p.author
			JOIN project j ON j.uri = p.subject_project
			JOIN repo o ON o.did = j.owner
			WHERE a.status = 'active' AND o.status = 'active' AND p.uri IN (SELECT proposal_uri FROM pinned UNION SELECT proposal_uri FROM work)
		)
		SELECT did FROM campaign_payee WHERE record_id IN (SELECT record_id FROM pinned)
		UNION
		SELECT did FROM development_payee
		WHERE record_id IN (SELECT record_id FROM work) AND NOT EXISTS (SELECT 1 FROM pinned)
		UNION
		SELECT owner FROM project_of
		UNION
		SELECT did FROM project_maintainer WHERE record_id IN (SELECT record_id FROM project_of)
		ORDER BY 1`, scanDID, development, escrow)
	if err != nil {
		return nil, fmt.Errorf("load the team of %s: %w", development, err)
	}
	team = append(team, more...)
	addresses, err := collect(ctx, q, `
		SELECT DISTINCT p.subject_uri_normalized FROM proposal p
		JOIN repo a ON a.did = p.author
		WHERE a.status = 'active' AND p.uri IN (
			SELECT proposal_uri FROM campaign WHERE development_uri = $1 AND escrow = $2
			UNION
			SELECT d.proposal_uri FROM development d JOIN repo w ON w.did = d.author WHERE d.uri = $1 AND w.status = 'active')
		AND EXISTS (SELECT 1 FROM claim WHERE uri = p.subject_uri_normalized AND state = 'verified')`,
		func(rows *sql.Rows) (u weburi.URI, err error) {
			err = rows.Scan(&u)
			return u, err
		}, development, escrow)
	if err != nil {
		return nil, fmt.Errorf("find the address that %s is about: %w", development, err)
	}
	claims, err := claimsOn(ctx, q, addresses)
	if err != nil {
		return nil, err
	}
	for _, address := range addresses {
		team = append(team, lifecycle.ClaimTeam(claims[address])...)
	}
	return team, nil
}

func scanDID(rows *sql.Rows) (syntax.DID, error) {
	var did syntax.DID
	err := rows.Scan(&did)
	return did, err
}

// metaColumns receives the columns of a lifecycle.Meta.
type metaColumns struct {
	uri       syntax.ATURI
	cid       syntax.CID // empty where no rule compares it
	author    syntax.DID
	createdAt int64
}

func (m metaColumns) meta() lifecycle.Meta {
	return lifecycle.Meta{URI: m.uri, CID: m.cid, Author: m.author, CreatedAt: fromMillis(m.createdAt)}
}
