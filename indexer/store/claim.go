package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// ClaimState says what is known of a project's claim on an address.
type ClaimState string

// The states of a claim. A verified one counts until it expires, a refuted one
// may be proven later.
const (
	ClaimUnchecked ClaimState = "unchecked"
	ClaimVerified  ClaimState = "verified"
	ClaimRefuted   ClaimState = "refuted"
)

// ClaimStates lists all states.
func ClaimStates() []ClaimState { return []ClaimState{ClaimUnchecked, ClaimVerified, ClaimRefuted} }

// Claims returns the verified claims on an address, expired ones included, of
// projects that are shown.
func (r *Reader) Claims(ctx context.Context, uri weburi.URI) ([]lifecycle.Claim, error) {
	claims, err := claimsOn(ctx, r.tx, []weburi.URI{uri})
	if err != nil {
		return nil, fmt.Errorf("store: claims on %s: %w", uri, err)
	}
	return claims[uri], nil
}

// ProjectClaim is what is known of one address that a project lists.
type ProjectClaim struct {
	URI   weburi.URI
	State ClaimState
	// Method, VerifiedAt and ExpiresAt are set for a verified one.
	Method     lifecycle.ClaimMethod
	VerifiedAt time.Time
	ExpiresAt  time.Time
	// CheckedAt is when somebody last answered; zero before.
	CheckedAt time.Time
	// Reason is why the last check did not prove it; empty when it did.
	Reason string
}

// ProjectClaims returns the claims of projects, each project's sorted by address.
func (r *Reader) ProjectClaims(ctx context.Context, projects []syntax.ATURI) (map[syntax.ATURI][]ProjectClaim, error) {
	out := make(map[syntax.ATURI][]ProjectClaim, len(projects))
	_, err := collect(ctx, r.tx, `
		SELECT project, uri, state, coalesce(method, ''), verified_at, expires_at, checked_at, coalesce(error, '')
		FROM claim WHERE project IN (SELECT value FROM json_each($1))
		ORDER BY project, uri`,
		func(rows *sql.Rows) (struct{}, error) {
			var project syntax.ATURI
			var c ProjectClaim
			var verified, expires, checked sql.NullInt64
			err := rows.Scan(&project, &c.URI, &c.State, &c.Method, &verified, &expires, &checked, &c.Reason)
			if err == nil && !slices.Contains(ClaimStates(), c.State) {
				err = fmt.Errorf("the claim of %s on %s is in an unknown state %q", project, c.URI, c.State)
			}
			if c.State == ClaimVerified {
				c.VerifiedAt, c.ExpiresAt = fromMillis(verified.Int64), fromMillis(expires.Int64)
			}
			if checked.Valid {
				c.CheckedAt = fromMillis(checked.Int64)
			}
			out[project] = append(out[project], c)
			return struct{}{}, err
		}, jsonList(projects))
	if err != nil {
		return nil, fmt.Errorf("store: read the claims of projects: %w", err)
	}
	return out, nil
}

// ClaimJob is a claim to check. Project's authority is the owner, whose DID is to
// be found.
type ClaimJob struct {
	Project syntax.ATURI
	URI     weburi.URI
	// Repository: the project says that a git repository is there.
	Repository bool
	// Attempts counts the checks since the last one that proved it, this one
	// included.
	Attempts int
}

// NextClaim is when the next claim is due; ok is false when there is none.
func (s *Store) NextClaim(ctx context.Context) (at time.Time, ok bool, err error) {
	var due int64
	err = s.read.QueryRowContext(ctx, `
		SELECT c.due_at FROM claim c
		JOIN project j ON j.uri = c.project
		JOIN repo a ON a.did = j.owner
		WHERE a.status = 'active'
		ORDER BY c.due_at LIMIT 1`).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil
	}
	if err != nil {
		return at, false, fmt.Errorf("store: find the next claim: %w", err)
	}
	return fromMillis(due), true, nil
}

// TakeClaim takes the claim that has been due for longest; ok is false when none
// is. It is nobody else's until the lease ends; one whose taker died comes again
// then.
func (s *Store) TakeClaim(ctx context.Context, lease time.Duration) (job ClaimJob, ok bool, err error) {
	err = s.update(ctx, "take a claim", func(ctx context.Context, tx *tx) error {
		tx.unseen = true // who tries, and when, nobody is shown
		err := tx.QueryRowContext(ctx, `
			UPDATE claim SET due_at = $1, tried_at = $2, attempts = attempts + 1
			WHERE (project, uri) = (
				SELECT c.project, c.uri FROM claim c
				JOIN project j ON j.uri = c.project
				JOIN repo a ON a.did = j.owner
				WHERE c.due_at <= $2 AND a.status = 'active'
				ORDER BY c.due_at LIMIT 1)
			RETURNING project, uri, repository, attempts`,
			millis(tx.now.Add(lease)), millis(tx.now)).
			Scan(&job.Project, &job.URI, &job.Repository, &job.Attempts)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	return job, ok, err
}

// ClaimProven stores that the claim was proven just now, and until when that
// counts. What was proven in the same way before, and has not expired, is proven
// since then.
func (s *Store) ClaimProven(ctx context.Context, job ClaimJob, method lifecycle.ClaimMethod, until, dueAt time.Time) error {
	return s.finishClaim(ctx, "store a proven claim", job, func(ctx context.Context, tx *tx, _ ClaimState) (changed bool, err error) {
		now := millis(tx.now)
		if err := tx.noteMoments(ctx, until); err != nil {
			return false, err
		}
		return true, tx.exec(ctx, `
			UPDATE claim
			SET verified_at = CASE WHEN method IS $1 AND expires_at > $2 THEN verified_at ELSE $2 END,
			    state = 'verified', method = $1, expires_at = $3, checked_at = $2, due_at = $4, attempts = 0, error = NULL
			WHERE project = $5 AND uri = $6`,
			method, now, millis(until), millis(dueAt), job.Project, job.URI)
	})
}

// ClaimDisproven stores that the claim does not hold. A verified one ends here
// and now.
func (s *Store) ClaimDisproven(ctx context.Context, job ClaimJob, reason string, dueAt time.Time) error {
	return s.finishClaim(ctx, "store a refuted claim", job, func(ctx context.Context, tx *tx, was ClaimState) (changed bool, err error) {
		return was == ClaimVerified, tx.exec(ctx, `
			UPDATE claim
			SET state = 'refuted', method = NULL, verified_at = NULL, expires_at = NULL, checked_at = $1, due_at = $2, error = $3
			WHERE project = $4 AND uri = $5`,
			millis(tx.now), millis(dueAt), reason, job.Project, job.URI)
	})
}

// ClaimUndecided stores that nobody could be asked. The claim stays what it is:
// a verified one counts until it expires.
func (s *Store) ClaimUndecided(ctx context.Context, job ClaimJob, reason string, dueAt time.Time) error {
	return s.finishClaim(ctx, "put a claim off", job, func(ctx context.Context, tx *tx, _ ClaimState) (changed bool, err error) {
		tx.unseen, err = tx.writesNothing(ctx, func() error { // an address that is gone stays so
			return tx.exec(ctx, `UPDATE claim SET error = $1 WHERE project = $2 AND uri = $3 AND error IS NOT $4`,
				reason, job.Project, job.URI, reason)
		})
		if err != nil {
			return false, err
		}
		return false, tx.exec(ctx, `UPDATE claim SET due_at = $1 WHERE project = $2 AND uri = $3`, millis(dueAt), job.Project, job.URI)
	})
}

// finishClaim stores what came of a job, unless the project lists the address no
// more, or as something else: then the answer is one to another question. What
// changes makes the proposals stale that name the address.
func (s *Store) finishClaim(ctx context.Context, act string, job ClaimJob,
	write func(ctx context.Context, tx *tx, was ClaimState) (changed bool, err error),
) error {
	var more bool
	err := s.update(ctx, act, func(ctx context.Context, tx *tx) error {
		var was ClaimState
		err := tx.QueryRowContext(ctx, `SELECT state FROM claim WHERE project = $1 AND uri = $2 AND repository = $3`,
			job.Project, job.URI, job.Repository).Scan(&was)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look up the claim of %s on %s: %w", job.Project, job.URI, err)
		}
		changed, err := write(ctx, tx, was)
		if err != nil || !changed {
			return err
		}
		if err := tx.touchAddress(ctx, job.URI); err != nil {
			return err
		}
		more, err = tx.derive(ctx)
		return err
	})
	for more && err == nil {
		more, err = s.DeriveStale(ctx)
	}
	return err
}

// touchAddress queues the proposals that name the address, and who paid for work
// on them: it may be their own (rule 2).
func (tx *tx) touchAddress(ctx context.Context, uri weburi.URI) error {
	err := tx.exec(ctx, `
		INSERT INTO dirty_proposal (uri) SELECT uri FROM proposal WHERE subject_uri_normalized = $1
		ON CONFLICT DO NOTHING`, uri)
	if err != nil {
		return fmt.Errorf("queue the proposals about %s: %w", uri, err)
	}
	if there, err := tx.hasReceipts(ctx); err != nil || !there {
		return err
	}
	err = tx.exec(ctx, `
		INSERT INTO dirty_standing (did)
		SELECT t.payer FROM proposal p
		JOIN development d ON d.proposal_uri = p.uri
		JOIN receipt t ON t.development_uri = d.uri
		WHERE p.subject_uri_normalized = $1
		UNION
		SELECT t.payer FROM proposal p
		JOIN campaign c ON c.proposal_uri = p.uri
		JOIN receipt t ON t.development_uri = c.development_uri
		WHERE p.subject_uri_normalized = $1
		ON CONFLICT DO NOTHING`, uri)
	if err != nil {
		return fmt.Errorf("queue who paid for work on %s: %w", uri, err)
	}
	return nil
}

// recheckPause is how long after a check began a new version of the project's record
// does not make the claim due again: otherwise its owner could make us ask
// others without end.
const recheckPause = time.Minute

// settleClaims makes the claims those of the addresses that the transaction's
// projects list by now. A claim outlives the edits of a record as long as each
// version lists its address.
func (tx *tx) settleClaims(ctx context.Context) error {
	for _, project := range slices.Sorted(maps.Keys(tx.projects)) {
		if err := tx.settleProject(ctx, project, tx.projects[project]); err != nil {
			return fmt.Errorf("settle the claims of %s: %w", project, err)
		}
		delete(tx.projects, project)
	}
	return nil
}

func (tx *tx) settleProject(ctx context.Context, project syntax.ATURI, changed bool) error {
	ended, err := collect(ctx, tx, `
		DELETE FROM claim
		WHERE project = $1 AND uri NOT IN (
			SELECT u.uri FROM project j JOIN project_uri u ON u.record_id = j.record_id WHERE j.uri = $1)
		RETURNING uri, state`,
		func(rows *sql.Rows) (c ProjectClaim, err error) {
			err = rows.Scan(&c.URI, &c.State)
			return c, err
		}, project)
	if err != nil {
		return err
	}
	for _, c := range ended {
		if c.State != ClaimVerified {
			continue
		}
		if err := tx.touchAddress(ctx, c.URI); err != nil {
			return err
		}
	}
	if changed { // its maintainers may be others, and when it begins to exist
		verified, err := collect(ctx, tx, `SELECT uri FROM claim WHERE project = $1 AND state = 'verified'`, scanString, project)
		if err != nil {
			return fmt.Errorf("list its verified addresses: %w", err)
		}
		for _, uri := range verified {
			if err := tx.touchAddress(ctx, weburi.URI(uri)); err != nil {
				return err
			}
		}
	}
	return tx.exec(ctx, `
		INSERT INTO claim (project, uri, repository, state, due_at)
		SELECT j.uri, u.uri, u.repository, 'unchecked', $1
		FROM project j JOIN project_uri u ON u.record_id = j.record_id WHERE j.uri = $2
		ON CONFLICT (project, uri) DO UPDATE
		SET repository = excluded.repository,
		    due_at = CASE WHEN $3 THEN min(due_at, max(excluded.due_at, tried_at + $4)) ELSE due_at END`,
		millis(tx.now), project, changed, recheckPause.Milliseconds())
}

// touchAllProjects has the claims of every project settled, although no record
// changed.
func (tx *tx) touchAllProjects(ctx context.Context) error {
	projects, err := collect(ctx, tx, `SELECT uri FROM project UNION SELECT project FROM claim`, scanString)
	if err != nil {
		return fmt.Errorf("list the projects: %w", err)
	}
	for _, uri := range projects {
		tx.projects[syntax.ATURI(uri)] = false
	}
	return nil
}

// countClaims counts claims by state; verified ones that have expired apart.
func countClaims(ctx context.Context, r *Reader) (map[string]int64, error) {
	return countBy(ctx, r.tx, `
		SELECT CASE WHEN state = 'verified' AND expires_at <= $1 THEN 'expired' ELSE state END, count(*)
		FROM claim GROUP BY 1`, millis(r.now))
}
