package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// rebuiltTables are the tables that follow from the raw records. Those of
// typed rows come first; what hangs below one of them goes with it.
var rebuiltTables = []struct {
	name  string
	typed bool
	// columns are compared; an interval that has begun compares from now on,
	// since what has elapsed is not derived again.
	columns string
}{
	{name: "project", typed: true, columns: "*"},
	{name: "project_maintainer", columns: "*"},
	{name: "project_uri", columns: "*"},
	{name: "proposal", typed: true, columns: "*"},
	{name: "proposal_tag", columns: "*"},
	// But for what counts now: an estimate that was dated ahead is counted by
	// whatever comes next.
	{name: "estimate", typed: true, columns: "record_id, uri, author, proposal_uri, proposal_cid, currency, amount, created_at"},
	{name: "pledge", typed: true, columns: "*"},
	{name: "response", typed: true, columns: "*"},
	{name: "development", typed: true, columns: "*"},
	{name: "development_payee", columns: "*"},
	{name: "attempt_part", typed: true, columns: "*"},
	{name: "campaign", typed: true, columns: "*"},
	{name: "campaign_payee", columns: "*"},
	{name: "receipt", typed: true, columns: "*"},
	{name: "donation", typed: true, columns: "*"},
	{name: "dispute", typed: true, columns: "*"},
	{name: "verification", typed: true, columns: "*"},
	{name: "ruling", typed: true, columns: "*"},
	{name: "terms", typed: true, columns: "*"},
	{name: "service", typed: true, columns: "*"},
	{name: "standing", columns: "*"},
	{name: "stage_interval", columns: "*"},
	{name: "funding", columns: `proposal_uri, currency, max(from_at, $1), to_at, estimated, estimators,
		estimated_proven, estimators_proven, pending, pledged, pledgers, donated, donors, raised,
		releasing, released, refunding, refunded, charged_back, goal`},
	{name: "claimed", columns: "*"},
	{name: "ranking", columns: "proposal_uri, max(from_at, $1), to_at, hot"},
}

// Difference counts the rows of a table that a rebuild found to be otherwise.
type Difference struct {
	Table string
	// Lost rows were there before and not after; New ones the other way round.
	Lost, New int64
}

// Rebuild derives every typed and derived row again from the raw records and
// returns where that differs from what was there: nowhere, unless the index was
// damaged or the rules changed. It is one transaction; progress, which may be
// nil, is told how many records were done.
func (s *Store) Rebuild(ctx context.Context, progress func(done, total int64)) (differences []Difference, err error) {
	// Unlike other transactions this one is long, and may be given up midway.
	err = s.update(ctx, "rebuild", func(_ context.Context, tx *tx) error {
		for _, t := range rebuiltTables {
			if err := tx.exec(ctx, `CREATE TEMP TABLE before_`+t.name+` AS SELECT * FROM `+t.name); err != nil {
				return fmt.Errorf("keep %s: %w", t.name, err)
			}
		}
		if err := tx.reparse(ctx, progress); err != nil {
			return err
		}
		if err := tx.rederive(ctx); err != nil {
			return err
		}
		differences = nil
		for _, t := range rebuiltTables {
			d, err := tx.compareBefore(ctx, t.name, t.columns)
			if err != nil {
				return fmt.Errorf("compare %s: %w", t.name, err)
			}
			if d.Lost > 0 || d.New > 0 {
				differences = append(differences, d)
			}
			if err := tx.exec(ctx, `DROP TABLE temp.before_`+t.name); err != nil {
				return err
			}
		}
		return nil
	})
	return differences, err
}

// reparse makes the typed rows anew, and notes anew which records are invalid.
func (tx *tx) reparse(ctx context.Context, progress func(done, total int64)) error {
	// First, so that the sums of estimates are not kept while these come and go.
	for _, table := range []string{"tallied", "estimated"} {
		if err := tx.exec(ctx, `DELETE FROM `+table); err != nil {
			return fmt.Errorf("empty %s: %w", table, err)
		}
	}
	for _, t := range rebuiltTables {
		if !t.typed {
			continue
		}
		if err := tx.exec(ctx, `DELETE FROM `+t.name); err != nil {
			return fmt.Errorf("empty %s: %w", t.name, err)
		}
	}
	var total int64
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM record`).Scan(&total); err != nil {
		return fmt.Errorf("count the records: %w", err)
	}
	type row struct {
		id  int64
		did syntax.DID
		rec reposync.Record
	}
	const batch = 1000
	for done, last := int64(0), int64(0); ; {
		rows, err := collect(ctx, tx, `
			SELECT id, did, collection, rkey, cid, value FROM record WHERE id > $1 ORDER BY id LIMIT $2`,
			func(rows *sql.Rows) (r row, err error) {
				var c string
				if err := rows.Scan(&r.id, &r.did, &r.rec.Collection, &r.rec.RKey, &c, &r.rec.Value); err != nil {
					return r, err
				}
				r.rec.CID, err = cid.Decode(c)
				return r, err
			}, last, batch)
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, r := range rows {
			if err := tx.reparseOne(ctx, r.id, r.did, r.rec); err != nil {
				return err
			}
			last = r.id
		}
		done += int64(len(rows))
		if progress != nil {
			progress(done, total)
		}
		if len(rows) < batch {
			return nil
		}
	}
}

func (tx *tx) reparseOne(ctx context.Context, id int64, did syntax.DID, rec reposync.Record) error {
	parsed, err := ParseRecord(did, rec)
	if err != nil {
		return err
	}
	var invalid sql.NullString
	if parsed.Invalid != nil {
		invalid = sql.NullString{String: string(parsed.Invalid.Reason), Valid: true}
	}
	if err := tx.exec(ctx, `UPDATE record SET invalid = $1 WHERE id = $2 AND invalid IS NOT $1`, invalid, id); err != nil {
		return fmt.Errorf("note the validity of %s: %w", parsed.URI(), err)
	}
	if parsed.Invalid != nil {
		return nil
	}
	if err := tx.putTyped(ctx, id, parsed.URI(), parsed); err != nil {
		return fmt.Errorf("store the row of %s: %w", parsed.URI(), err)
	}
	return nil
}

// rederive empties the derived tables and derives them from nothing.
func (tx *tx) rederive(ctx context.Context) error {
	for _, table := range []string{"standing", "stage_interval", "funding", "ranking", "claimed"} {
		if err := tx.exec(ctx, `DELETE FROM `+table); err != nil {
			return fmt.Errorf("empty %s: %w", table, err)
		}
	}
	// Claims were observed and stay, but for addresses that are listed no more.
	if err := tx.touchAllProjects(ctx); err != nil {
		return err
	}
	if err := tx.dirtyEverything(ctx); err != nil {
		return err
	}
	// A proposal may have been read again before its project was, and while the
	// claims that counted before were still known.
	err := tx.exec(ctx, `
		INSERT INTO dirty_words (record_id) SELECT record_id FROM proposal WHERE subject_account IS NULL
		ON CONFLICT DO NOTHING`)
	if err != nil {
		return fmt.Errorf("queue the words: %w", err)
	}
	for {
		more, err := tx.derive(ctx)
		if err != nil || !more {
			return err
		}
	}
}

func (tx *tx) compareBefore(ctx context.Context, table, columns string) (Difference, error) {
	d := Difference{Table: table}
	interval := strings.Contains(columns, "to_at")
	where, args := "", []any{}
	if interval {
		where, args = " WHERE to_at > $1", []any{millis(tx.now)}
	}
	before := `SELECT ` + columns + ` FROM temp.before_` + table + where
	after := `SELECT ` + columns + ` FROM main.` + table + where
	for _, q := range []struct {
		into *int64
		text string
	}{
		{&d.Lost, before + ` EXCEPT ` + after},
		{&d.New, after + ` EXCEPT ` + before},
	} {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (`+q.text+`)`, args...).Scan(q.into); err != nil {
			return d, err
		}
	}
	return d, nil
}
