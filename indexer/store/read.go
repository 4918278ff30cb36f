package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// RecordRow is a valid record as it was signed.
type RecordRow struct {
	URI       syntax.ATURI
	CID       syntax.CID
	Author    syntax.DID
	Value     []byte // DAG-CBOR
	IndexedAt time.Time
}

// Records returns the valid records of active accounts among uris.
func (r *Reader) Records(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]RecordRow, error) {
	rows, err := collect(ctx, r.tx, `
		SELECT r.uri, r.cid, r.did, r.value, r.indexed_at
		FROM record r JOIN repo a ON a.did = r.did
		WHERE r.uri IN (SELECT value FROM json_each($1)) AND r.invalid IS NULL AND a.status = 'active'`,
		func(rows *sql.Rows) (row RecordRow, err error) {
			var indexed int64
			err = rows.Scan(&row.URI, &row.CID, &row.Author, &row.Value, &indexed)
			row.IndexedAt = fromMillis(indexed)
			return row, err
		}, jsonList(uris))
	if err != nil {
		return nil, fmt.Errorf("store: read records: %w", err)
	}
	out := make(map[syntax.ATURI]RecordRow, len(rows))
	for _, row := range rows {
		out[row.URI] = row
	}
	return out, nil
}

// ProposalState is what was derived of a proposal, as it holds now.
type ProposalState struct {
	Subject lifecycle.Subject
	Stage   lifecycle.Interval
	Funding []lifecycle.Funding // sorted by currency
}

// ProposalStates returns the states of the proposals among uris that exist now
// and are visible.
func (r *Reader) ProposalStates(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]*ProposalState, error) {
	list, now := jsonList(uris), millis(r.now)
	out := make(map[syntax.ATURI]*ProposalState, len(uris))
	_, err := collect(ctx, r.tx, `
		SELECT p.uri, p.subject_project, p.subject_account, p.subject_uri,
		       s.from_at, s.to_at, s.stage, s.attempt_uri, s.next_event, s.next_at
		FROM proposal p
		JOIN stage_interval s ON s.proposal_uri = p.uri
		WHERE p.uri IN (SELECT value FROM json_each($1)) AND s.from_at <= $2 AND s.to_at > $2`,
		func(rows *sql.Rows) (struct{}, error) {
			uri, state, err := scanProposalState(rows)
			out[uri] = state
			return struct{}{}, err
		}, list, now)
	if err != nil {
		return nil, fmt.Errorf("store: read stages: %w", err)
	}
	_, err = collect(ctx, r.tx, `
		SELECT proposal_uri, currency, estimated, estimators, estimated_proven, estimators_proven, pending,
		       pledged, pledgers, donated, donors, raised, releasing, released, refunding, refunded, charged_back, goal
		FROM funding
		WHERE proposal_uri IN (SELECT value FROM json_each($1)) AND from_at <= $2 AND to_at > $2
		ORDER BY proposal_uri, currency`,
		func(rows *sql.Rows) (struct{}, error) {
			var uri syntax.ATURI
			var f lifecycle.Funding
			err := rows.Scan(&uri, &f.Currency, &f.Estimated, &f.Estimators, &f.EstimatedProven, &f.EstimatorsProven, &f.Pending,
				&f.Pledged, &f.Pledgers, &f.Donated, &f.Donors, &f.Raised,
				&f.Releasing, &f.Released, &f.Refunding, &f.Refunded, &f.ChargedBack, &f.Goal)
			if state := out[uri]; state != nil {
				state.Funding = append(state.Funding, f)
			}
			return struct{}{}, err
		}, list, now)
	if err != nil {
		return nil, fmt.Errorf("store: read funding: %w", err)
	}
	return out, nil
}

func scanProposalState(rows *sql.Rows) (syntax.ATURI, *ProposalState, error) {
	var uri syntax.ATURI
	var project, account, subjectURI, attempt, event sql.NullString
	var from, to int64
	var nextAt sql.NullInt64
	state := &ProposalState{}
	err := rows.Scan(&uri, &project, &account, &subjectURI, &from, &to, &state.Stage.Stage, &attempt, &event, &nextAt)
	if err != nil {
		return "", nil, err
	}
	if !state.Stage.Stage.Valid() {
		return "", nil, fmt.Errorf("%s is in an unknown stage %q", uri, state.Stage.Stage)
	}
	state.Subject = lifecycle.Subject{
		Project: syntax.ATURI(project.String), Account: syntax.DID(account.String), URI: subjectURI.String,
	}
	state.Stage.From, state.Stage.To = fromMillis(from), fromMillis(to)
	state.Stage.Attempt = syntax.ATURI(attempt.String)
	if event.Valid {
		state.Stage.Next = &lifecycle.Next{Event: lifecycle.NextEvent(event.String), At: fromMillis(nextAt.Int64)}
	}
	return uri, state, nil
}

// Standing returns an account's largest successful contribution in a currency;
// ok is false when it has none.
func (r *Reader) Standing(ctx context.Context, did syntax.DID, currency money.Currency) (s lifecycle.Standing, ok bool, err error) {
	all, err := r.Standings(ctx, did)
	if err != nil {
		return s, false, err
	}
	for _, s := range all {
		if s.Currency == currency {
			return s, true, nil
		}
	}
	return s, false, nil
}

// Standings returns an account's largest successful contributions, one for each
// currency in which it has any.
func (r *Reader) Standings(ctx context.Context, did syntax.DID) ([]lifecycle.Standing, error) {
	all, err := loadStandings(ctx, r.tx, did)
	if err != nil {
		return nil, fmt.Errorf("store: standings of %s: %w", did, err)
	}
	return all, nil
}

// ProjectState is what the index knows of a project beside its record.
type ProjectState struct {
	Name        string
	Maintainers []syntax.DID
	Proposals   int64 // visible ones that exist now, those about its proven addresses included
}

// ProjectStates returns the states of the projects among uris that exist now
// and are visible.
func (r *Reader) ProjectStates(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]*ProjectState, error) {
	list, now := jsonList(uris), millis(r.now)
	out := make(map[syntax.ATURI]*ProjectState, len(uris))
	_, err := collect(ctx, r.tx, `
		SELECT j.uri, j.name,
		       (SELECT count(*) FROM proposal p
		        JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= $1 AND s.to_at > $1
		        WHERE p.subject_project = j.uri)
		     + (SELECT count(*) FROM claimed c
		        JOIN stage_interval s ON s.proposal_uri = c.proposal_uri AND s.from_at <= $1 AND s.to_at > $1
		        WHERE c.project = j.uri AND c.from_at <= $1 AND c.to_at > $1)
		FROM project j JOIN repo a ON a.did = j.owner
		WHERE j.uri IN (SELECT value FROM json_each($2)) AND a.status = 'active' AND j.created_at <= $3`,
		func(rows *sql.Rows) (struct{}, error) {
			var uri syntax.ATURI
			var p ProjectState
			err := rows.Scan(&uri, &p.Name, &p.Proposals)
			out[uri] = &p
			return struct{}{}, err
		}, now, list, millis(r.now.Add(lifecycle.FutureTolerance)))
	if err != nil {
		return nil, fmt.Errorf("store: read projects: %w", err)
	}
	maintainers, err := maintainersOf(ctx, r.tx, uris)
	if err != nil {
		return nil, fmt.Errorf("store: read projects: %w", err)
	}
	for uri, p := range out {
		p.Maintainers = maintainers[uri]
	}
	return out, nil
}
