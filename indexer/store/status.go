package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Status is what an operator asks of an index first.
type Status struct {
	Cursors map[string]int64 `json:"cursors"`
	// Repos counts the accounts with records of ours, by state; hidden and
	// deleted ones by status instead.
	Repos   map[string]int64 `json:"repos"`
	Records map[string]int64 `json:"records"` // by collection
	// Invalid counts records that are kept out of every view, by reason.
	Invalid map[string]int64 `json:"invalid"`
	Backlog Backlog          `json:"backlog"`
	// Claims counts the addresses that projects list, by what is known of them;
	// verified ones that nobody proved again in time are "expired".
	Claims map[string]int64 `json:"claims"`
	// Stale counts derived rows that wait to be derived again.
	Stale int64 `json:"stale"`
}

// reposByState counts hidden repositories by their status.
const reposByState = `SELECT CASE status WHEN 'active' THEN state ELSE status END, count(*) FROM repo GROUP BY 1`

// Status counts what is in the index. It reads whole indexes; it is for people
// and not for every request.
func (s *Store) Status(ctx context.Context) (Status, error) {
	var out Status
	err := s.Read(ctx, func(r *Reader) (err error) {
		for _, part := range []struct {
			into  *map[string]int64
			query string
		}{
			{&out.Cursors, `SELECT upstream, seq FROM cursor`},
			{&out.Repos, reposByState},
			{&out.Records, `SELECT collection, count(*) FROM record WHERE invalid IS NULL GROUP BY 1`},
			{&out.Invalid, `SELECT invalid, count(*) FROM record WHERE invalid IS NOT NULL GROUP BY 1`},
		} {
			if *part.into, err = countBy(ctx, r.tx, part.query); err != nil {
				return err
			}
		}
		if out.Claims, err = countClaims(ctx, r); err != nil {
			return err
		}
		err = r.tx.QueryRowContext(ctx, `
			SELECT (SELECT count(*) FROM dirty_proposal) + (SELECT count(*) FROM dirty_standing)
			       + (SELECT count(*) FROM dirty_estimate) + (SELECT count(*) FROM dirty_words)`).Scan(&out.Stale)
		if err != nil {
			return fmt.Errorf("store: status: %w", err)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	out.Backlog, err = s.Backlog(ctx)
	return out, err
}

// RepoCounts counts repositories by state; hidden ones by status instead.
func (s *Store) RepoCounts(ctx context.Context) (counts map[string]int64, err error) {
	err = s.Read(ctx, func(r *Reader) error {
		counts, err = countBy(ctx, r.tx, reposByState)
		return err
	})
	return counts, err
}

// countBy reads a query of keys and their counts.
func countBy(ctx context.Context, q querier, query string, args ...any) (map[string]int64, error) {
	counts := map[string]int64{}
	_, err := collect(ctx, q, query, func(rows *sql.Rows) (struct{}, error) {
		var key string
		var n int64
		err := rows.Scan(&key, &n)
		counts[key] = n
		return struct{}{}, err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("store: status: %w", err)
	}
	return counts, nil
}
