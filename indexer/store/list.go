package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// ProposalSort is an order of proposals, best first; ties go by uri.
type ProposalSort string

// The orders.
const (
	SortHot       ProposalSort = "hot"
	SortNew       ProposalSort = "new"
	SortEstimated ProposalSort = "estimated"
)

// ProposalFilter narrows a list of proposals; zero fields do not.
type ProposalFilter struct {
	Stages  []lifecycle.Stage
	Project syntax.ATURI
	Account syntax.DID // the subject
	URI     weburi.URI // the subject
	Author  syntax.DID
	Backer  syntax.DID
	Tag     string
	// Currency: only proposals with something in it.
	Currency money.Currency
	Sort     ProposalSort
	// SortCurrency is what SortEstimated compares.
	SortCurrency money.Currency
}

// Key is a place in a list: the value that it is ordered by, and the uri.
type Key struct {
	Value int64
	URI   syntax.ATURI
}

// clauses collects the parts of a statement whose shape depends on a filter.
// Arguments are numbered in the order in which they are added, which has to be
// the order in which they appear.
type clauses struct {
	text strings.Builder
	args []any
}

// add appends sql, in which each ? stands for the next of args.
func (c *clauses) add(sql string, args ...any) {
	for _, arg := range args {
		before, after, _ := strings.Cut(sql, "?")
		c.args = append(c.args, arg)
		fmt.Fprintf(&c.text, "%s$%d", before, len(c.args))
		sql = after
	}
	c.text.WriteString(sql)
}

// sortUnestimated is the end of SortEstimated: what nothing is estimated for.
const sortUnestimated ProposalSort = "unestimated"

// ListProposals returns the keys of the visible proposals that pass the filter,
// in its order, after the key of the last page (nil: from the beginning).
func (r *Reader) ListProposals(ctx context.Context, f ProposalFilter, after *Key, limit int) ([]Key, error) {
	if f.Sort != SortEstimated {
		return r.listProposals(ctx, f, after, limit)
	}
	// Two lists, one behind the other, each in the order of an index.
	var keys []Key
	if after == nil || after.Value > 0 {
		var err error
		if keys, err = r.listProposals(ctx, f, after, limit); err != nil || len(keys) == limit {
			return keys, err
		}
		after = nil
	}
	f.Sort = sortUnestimated
	rest, err := r.listProposals(ctx, f, after, limit-len(keys))
	return append(keys, rest...), err
}

func (r *Reader) listProposals(ctx context.Context, f ProposalFilter, after *Key, limit int) ([]Key, error) {
	c, err := f.statement(millis(r.now), after, limit)
	if err != nil {
		return nil, err
	}
	keys, err := collect(ctx, r.tx, c.text.String(), scanKey, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list proposals: %w", err)
	}
	return keys, nil
}

func (f *ProposalFilter) statement(now int64, after *Key, limit int) (*clauses, error) {
	var c clauses
	var value, uri string // the columns that it is ordered by: of one table, so that an index has them
	switch f.Sort {
	case SortHot:
		value, uri = "k.hot", "k.proposal_uri"
		c.add(`SELECT k.hot, k.proposal_uri FROM ranking k JOIN proposal p ON p.uri = k.proposal_uri
			JOIN stage_interval s ON s.proposal_uri = k.proposal_uri AND s.from_at <= ? AND s.to_at > ?
			WHERE k.from_at <= ? AND k.to_at > ?`, now, now, now, now)
	case SortNew:
		value, uri = "p.created_at", "p.uri"
		c.add(`SELECT p.created_at, p.uri FROM proposal p
			JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
			WHERE true`, now, now)
	case SortEstimated:
		value, uri = "m.estimated", "m.proposal_uri"
		c.add(`SELECT m.estimated, m.proposal_uri FROM funding m JOIN proposal p ON p.uri = m.proposal_uri
			JOIN stage_interval s ON s.proposal_uri = m.proposal_uri AND s.from_at <= ? AND s.to_at > ?
			WHERE m.currency = ? AND m.from_at <= ? AND m.to_at > ? AND m.estimated > 0`,
			now, now, f.SortCurrency, now, now)
	case sortUnestimated:
		uri = "p.uri"
		c.add(`SELECT 0, p.uri FROM proposal p
			JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
			WHERE NOT EXISTS (SELECT 1 FROM funding m WHERE m.proposal_uri = p.uri AND m.currency = ?
			AND m.from_at <= ? AND m.to_at > ? AND m.estimated > 0)`, now, now, f.SortCurrency, now, now)
	default:
		return nil, fmt.Errorf("store: list proposals: unknown order %q", f.Sort)
	}
	f.narrow(&c, now)
	switch {
	case value == "" && after != nil:
		c.add(` AND `+uri+` < ?`, after.URI)
	case after != nil:
		c.add(` AND (`+value+`, `+uri+`) < (?, ?)`, after.Value, after.URI)
	}
	c.add(` ORDER BY `)
	if value != "" {
		c.add(value + ` DESC, `)
	}
	c.add(uri+` DESC LIMIT ?`, limit)
	return &c, nil
}

func (f *ProposalFilter) narrow(c *clauses, now int64) {
	if len(f.Stages) > 0 {
		column := `s.stage`
		if slices.ContainsFunc(f.Stages, crowded) {
			column = `(s.stage || '')` // no index has that: the order is followed, instead of sorting nearly all there is
		}
		c.add(` AND `+column+` IN (SELECT value FROM json_each(?))`, jsonList(f.Stages))
	}
	if f.Project != "" {
		c.add(` AND p.subject_project = ?`, f.Project)
	}
	if f.Account != "" {
		c.add(` AND p.subject_account = ?`, f.Account)
	}
	if f.URI != "" {
		c.add(` AND p.subject_uri_normalized = ?`, f.URI)
	}
	if f.Author != "" {
		c.add(` AND p.author = ?`, f.Author)
	}
	if f.Backer != "" {
		c.add(` AND p.uri IN (SELECT proposal_uri FROM estimate WHERE author = ?)`, f.Backer)
	}
	if f.Tag != "" {
		c.add(` AND p.record_id IN (SELECT record_id FROM proposal_tag WHERE tag = ?)`, foldTag(f.Tag))
	}
	if f.Currency != "" {
		c.add(` AND EXISTS (SELECT 1 FROM funding g WHERE g.proposal_uri = p.uri AND g.currency = ?
			AND g.from_at <= ? AND g.to_at > ?)`, f.Currency, now, now)
	}
}

// crowded reports whether proposals stay in the stage, so that many are in it.
func crowded(s lifecycle.Stage) bool {
	return s == lifecycle.StageProposed || s == lifecycle.StageDeclined || s == lifecycle.StageCompleted
}

// ListProjects returns the keys of visible projects, newest first; of one owner
// if given.
func (r *Reader) ListProjects(ctx context.Context, owner syntax.DID, after *Key, limit int) ([]Key, error) {
	var c clauses
	c.add(`SELECT j.created_at, j.uri FROM project j JOIN repo a ON a.did = j.owner
		WHERE a.status = 'active' AND j.created_at <= ?`, millis(r.now.Add(lifecycle.FutureTolerance)))
	if owner != "" {
		c.add(` AND j.owner = ?`, owner)
	}
	if after != nil {
		c.add(` AND (j.created_at, j.uri) < (?, ?)`, after.Value, after.URI)
	}
	c.add(` ORDER BY j.created_at DESC, j.uri DESC LIMIT ?`, limit)
	keys, err := collect(ctx, r.tx, c.text.String(), scanKey, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list projects: %w", err)
	}
	return keys, nil
}

func scanKey(rows *sql.Rows) (k Key, err error) {
	err = rows.Scan(&k.Value, &k.URI)
	return k, err
}
