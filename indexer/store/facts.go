package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// loadFacts gathers what moves the stage and the sums of a proposal, in no order.
// Records of accounts that are not active are not facts (F5). ErrNotFound is
// returned when the proposal itself is not one.
func loadFacts(ctx context.Context, q querier, policy lifecycle.Policy, uri syntax.ATURI) (lifecycle.Facts, error) {
	f, has, err := loadProposal(ctx, q, uri)
	f.Policy = policy
	if err != nil {
		return f, err
	}
	if has.maintainers {
		if f.Project.Maintainers, err = loadMaintainers(ctx, q, f.Project.URI); err != nil {
			return f, err
		}
	}
	if has.responses {
		if f.Responses, err = loadResponses(ctx, q, uri); err != nil {
			return f, err
		}
	}
	if has.developments {
		if f.Developments, err = loadDevelopments(ctx, q, uri); err != nil {
			return f, err
		}
	}
	if has.developments || has.campaigns {
		if f.Campaigns, err = loadCampaigns(ctx, q, uri); err != nil {
			return f, err
		}
		if err := loadAttemptParts(ctx, q, uri, &f); err != nil {
			return f, err
		}
	}
	if has.pledges {
		if f.Pledges, err = loadPledges(ctx, q, uri); err != nil {
			return f, err
		}
	}
	if has.donations {
		if f.Donations, err = loadDonations(ctx, q, uri); err != nil {
			return f, err
		}
	}
	if has.developments || has.campaigns || has.pledges || has.donations || has.receipts {
		if f.Receipts, err = loadReceiptsAbout(ctx, q, uri); err != nil {
			return f, err
		}
	}
	if has.estimates {
		f.Estimates, err = loadEstimates(ctx, q, uri)
	}
	return f, err
}

// loadAsked adds the facts that move nothing and are asked for when a proposal
// is read.
func loadAsked(ctx context.Context, q querier, uri syntax.ATURI, f *lifecycle.Facts) (err error) {
	if f.Disputes, err = loadDisputes(ctx, q, uri); err != nil {
		return err
	}
	if f.Rulings, err = loadRulings(ctx, q, uri); err != nil {
		return err
	}
	f.Verifications, err = loadVerifications(ctx, q, uri)
	return err
}

// related says which kinds of records there are about a proposal, of accounts
// of whatever status. Most proposals have few kinds, and what is not there need
// not be asked for.
type related struct {
	maintainers, responses, developments, campaigns, pledges, donations, receipts, estimates bool
}

// loadProposal loads the proposal and its project, but for the maintainers.
func loadProposal(ctx context.Context, q querier, uri syntax.ATURI) (f lifecycle.Facts, has related, err error) {
	var p, j metaColumns
	var project, account, subjectURI, projectURI, owner sql.NullString
	var projectCreated sql.NullInt64
	err = q.QueryRowContext(ctx, `
		SELECT p.uri, (SELECT cid FROM record WHERE id = p.record_id), p.author, p.created_at,
		       p.subject_project, p.subject_account, p.subject_uri,
		       j.uri, j.owner, j.created_at,
		       j.uri IS NOT NULL AND EXISTS (SELECT 1 FROM project_maintainer WHERE record_id = j.record_id),
		       EXISTS (SELECT 1 FROM response WHERE proposal_uri = p.uri),
		       EXISTS (SELECT 1 FROM development WHERE proposal_uri = p.uri),
		       EXISTS (SELECT 1 FROM campaign WHERE proposal_uri = p.uri),
		       EXISTS (SELECT 1 FROM pledge WHERE proposal_uri = p.uri),
		       EXISTS (SELECT 1 FROM donation WHERE proposal_uri = p.uri),
		       EXISTS (SELECT 1 FROM receipt WHERE proposal_uri = p.uri),
		       EXISTS (SELECT 1 FROM estimate WHERE proposal_uri = p.uri)
		FROM proposal p
		JOIN repo a ON a.did = p.author
		LEFT JOIN project j ON j.uri = p.subject_project
		     AND EXISTS (SELECT 1 FROM repo o WHERE o.did = j.owner AND o.status = 'active')
		WHERE p.uri = $1 AND a.status = 'active'`, uri).
		Scan(&p.uri, &p.cid, &p.author, &p.createdAt, &project, &account, &subjectURI,
			&projectURI, &owner, &projectCreated,
			&has.maintainers, &has.responses, &has.developments, &has.campaigns,
			&has.pledges, &has.donations, &has.receipts, &has.estimates)
	if errors.Is(err, sql.ErrNoRows) {
		return f, has, ErrNotFound
	}
	if err != nil {
		return f, has, fmt.Errorf("load proposal: %w", err)
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
	return f, has, nil
}

func loadMaintainers(ctx context.Context, q querier, project syntax.ATURI) ([]syntax.DID, error) {
	out, err := collect(ctx, q, `
		SELECT m.did FROM project j JOIN project_maintainer m ON m.record_id = j.record_id WHERE j.uri = $1`, scanDID, project)
	if err != nil {
		return nil, fmt.Errorf("load maintainers: %w", err)
	}
	return out, nil
}

func loadResponses(ctx context.Context, q querier, proposal syntax.ATURI) ([]lifecycle.Response, error) {
	out, err := collect(ctx, q, `
		SELECT r.uri, r.author, r.created_at, r.proposal_uri, r.proposal_cid, r.answer, coalesce(r.duplicate_of, '')
		FROM response r JOIN repo a ON a.did = r.author
		WHERE r.proposal_uri = $1 AND a.status = 'active'`,
		func(rows *sql.Rows) (r lifecycle.Response, err error) {
			var m metaColumns
			err = rows.Scan(&m.uri, &m.author, &m.createdAt, &r.Proposal.URI, &r.Proposal.CID, &r.Answer, &r.DuplicateOf)
			r.Meta = m.meta()
			return r, err
		}, proposal)
	if err != nil {
		return nil, fmt.Errorf("load responses: %w", err)
	}
	return out, nil
}

func loadDevelopments(ctx context.Context, q querier, proposal syntax.ATURI) ([]lifecycle.Development, error) {
	out, err := collect(ctx, q, `
		SELECT d.uri, r.cid, d.author, d.created_at, d.proposal_uri, d.proposal_cid, d.currency, d.goal_currency, d.goal_amount,
		       d.escrow, coalesce(d.donations, ''), d.expected_at,
		       (SELECT json_group_array(did) FROM development_payee WHERE record_id = d.record_id)
		FROM development d JOIN record r ON r.id = d.record_id JOIN repo a ON a.did = d.author
		WHERE d.proposal_uri = $1 AND a.status = 'active'`,
		func(rows *sql.Rows) (d lifecycle.Development, err error) {
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
		}, proposal)
	if err != nil {
		return nil, fmt.Errorf("load developments: %w", err)
	}
	return out, nil
}

func loadAttemptParts(ctx context.Context, q querier, proposal syntax.ATURI, f *lifecycle.Facts) error {
	type part struct {
		lifecycle.Meta
		kind    string
		attempt syntax.ATURI
		opens   sql.NullInt64
		closes  sql.NullInt64
	}
	parts, err := collect(ctx, q, `
		SELECT t.uri, r.cid, t.author, t.created_at, t.kind, t.development_uri, t.opens_at, t.closes_at
		FROM attempt_part t
		JOIN record r ON r.id = t.record_id
		JOIN repo a ON a.did = t.author
		WHERE t.development_uri IN (SELECT uri FROM development WHERE proposal_uri = $1
		                            UNION SELECT development_uri FROM campaign WHERE proposal_uri = $1)
		AND a.status = 'active'`,
		func(rows *sql.Rows) (p part, err error) {
			var m metaColumns
			err = rows.Scan(&m.uri, &m.cid, &m.author, &m.createdAt, &p.kind, &p.attempt, &p.opens, &p.closes)
			p.Meta = m.meta()
			return p, err
		}, proposal)
	if err != nil {
		return fmt.Errorf("load the parts of attempts: %w", err)
	}
	for _, p := range parts {
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
		default:
			return fmt.Errorf("load %s: unknown kind %q", p.URI, p.kind)
		}
	}
	return nil
}

func loadEstimates(ctx context.Context, q querier, proposal syntax.ATURI) ([]lifecycle.Estimate, error) {
	out, err := collect(ctx, q, `
		SELECT e.uri, e.author, e.created_at, e.proposal_uri, e.proposal_cid, e.currency, e.amount, coalesce(s.largest, 0)
		FROM estimate e
		JOIN repo a ON a.did = e.author
		LEFT JOIN standing s ON s.did = e.author AND s.currency = e.currency
		WHERE e.proposal_uri = $1 AND a.status = 'active'`,
		func(rows *sql.Rows) (e lifecycle.Estimate, err error) {
			var m metaColumns
			err = rows.Scan(&m.uri, &m.author, &m.createdAt, &e.Proposal.URI, &e.Proposal.CID, &e.Value.Currency, &e.Value.Amount, &e.Largest)
			e.Meta = m.meta()
			return e, err
		}, proposal)
	if err != nil {
		return nil, fmt.Errorf("load estimates: %w", err)
	}
	return out, nil
}

func loadPledges(ctx context.Context, q querier, proposal syntax.ATURI) ([]lifecycle.Pledge, error) {
	out, err := collect(ctx, q, `
		SELECT p.uri, p.author, p.created_at, p.development_uri, p.escrow, p.currency, p.amount
		FROM pledge p
		JOIN repo a ON a.did = p.author
		WHERE p.proposal_uri = $1 AND a.status = 'active'`,
		func(rows *sql.Rows) (p lifecycle.Pledge, err error) {
			var m metaColumns
			err = rows.Scan(&m.uri, &m.author, &m.createdAt, &p.Attempt, &p.Escrow, &p.Value.Currency, &p.Value.Amount)
			p.Meta = m.meta()
			return p, err
		}, proposal)
	if err != nil {
		return nil, fmt.Errorf("load pledges: %w", err)
	}
	return out, nil
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
	return append(team, more...), nil
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
