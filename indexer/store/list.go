package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
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
	URI     string     // the subject
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

// ListProposals returns the keys of the visible proposals that pass the filter,
// in its order, after the key of the last page (nil: from the beginning).
func (r *Reader) ListProposals(ctx context.Context, f ProposalFilter, after *Key, limit int) ([]Key, error) {
	var c clauses
	now := millis(r.now)
	var value string
	switch f.Sort {
	case SortHot:
		value = "k.hot"
		c.add(`SELECT k.hot, p.uri FROM ranking k JOIN proposal p ON p.uri = k.proposal_uri
			JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
			WHERE k.from_at <= ? AND k.to_at > ?`, now, now, now, now)
	case SortNew:
		value = "p.created_at"
		c.add(`SELECT p.created_at, p.uri FROM proposal p
			JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
			WHERE true`, now, now)
	case SortEstimated:
		value = "coalesce(m.estimated, 0)"
		c.add(`SELECT coalesce(m.estimated, 0), p.uri FROM proposal p
			JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
			LEFT JOIN funding m ON m.proposal_uri = p.uri AND m.currency = ? AND m.from_at <= ? AND m.to_at > ?
			WHERE true`, now, now, f.SortCurrency, now, now)
	default:
		return nil, fmt.Errorf("store: list proposals: unknown order %q", f.Sort)
	}
	f.narrow(&c, now)
	if after != nil {
		c.add(` AND (`+value+`, p.uri) < (?, ?)`, after.Value, after.URI)
	}
	c.add(` ORDER BY `+value+` DESC, p.uri DESC LIMIT ?`, limit)

	keys, err := collect(ctx, r.tx, c.text.String(), scanKey, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list proposals: %w", err)
	}
	return keys, nil
}

func (f *ProposalFilter) narrow(c *clauses, now int64) {
	if len(f.Stages) > 0 {
		c.add(` AND s.stage IN (SELECT value FROM json_each(?))`, jsonList(f.Stages))
	}
	if f.Project != "" {
		c.add(` AND p.subject_project = ?`, f.Project)
	}
	if f.Account != "" {
		c.add(` AND p.subject_account = ?`, f.Account)
	}
	if f.URI != "" {
		c.add(` AND p.subject_uri = ?`, f.URI)
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
