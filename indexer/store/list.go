package store

import (
	"cmp"
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

// The orders. Where a proposal has nothing of what an order compares, it comes
// behind all that do, newest first.
const (
	SortHot       ProposalSort = "hot"
	SortNew       ProposalSort = "new"
	SortEstimated ProposalSort = "estimated"
	SortPledged   ProposalSort = "pledged" // money held now
	SortClosing   ProposalSort = "closing" // what closes next
)

// ProposalSorts lists all orders.
func ProposalSorts() []ProposalSort {
	return []ProposalSort{SortHot, SortNew, SortEstimated, SortPledged, SortClosing}
}

// ProposalFilter narrows a list of proposals; zero fields do not.
type ProposalFilter struct {
	Stages []lifecycle.Stage
	// Project is the subject, or the one that the subject's address belongs to by a
	// claim that counts now.
	Project syntax.ATURI
	Account syntax.DID // the subject
	URI     weburi.URI // the subject
	Author  syntax.DID
	// Backer estimated, pledged or donated, whether or not it counts.
	Backer syntax.DID
	Tag    string
	// Words: only proposals that [Reader.SearchProposals] finds by them. Text
	// without words is in none.
	Words *string
	// Currency: only proposals with something in it.
	Currency money.Currency
	Sort     ProposalSort
	// SortCurrency is what SortEstimated and SortPledged compare.
	SortCurrency money.Currency
}

// Key is a place in a list: the value that it is ordered by, and the uri. The
// order is by both, descending.
type Key struct {
	Value int64
	URI   syntax.ATURI
}

// bestFirst compares places of a list.
func bestFirst(a, b Key) int {
	return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(b.URI, a.URI))
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

// limit adds the end of a list. The number stands in the text: SQLite prepares a
// statement anew each time when it is a parameter.
func (c *clauses) limit(n int) { fmt.Fprintf(&c.text, " LIMIT %d", n) }

// newestFirst adds the end of a list of records x: those that exist at the
// moment, after the key of the last page.
func (r *Reader) newestFirst(c *clauses, after *Key, limit int) {
	c.add(` AND x.created_at <= ?`, millis(r.now.Add(lifecycle.FutureTolerance)))
	if after != nil {
		c.add(` AND (x.created_at, x.uri) < (?, ?)`, after.Value, after.URI)
	}
	c.add(` ORDER BY x.created_at DESC, x.uri DESC`)
	c.limit(limit)
}

// behind is added to the time of a proposal that has nothing of what the order
// compares, so that it comes behind all that do: no amount is as small, and no
// time as early.
const behind int64 = -1 << 62

// ListProposals returns the keys of the visible proposals that pass the filter,
// in its order, after the key of the last page (nil: from the beginning).
func (r *Reader) ListProposals(ctx context.Context, f ProposalFilter, after *Key, limit int) (keys []Key, err error) {
	var phrases []string
	if f.Words != nil {
		if phrases, err = r.crowds(proposalWords).phrases(ctx, *f.Words, searchTokens); err != nil {
			return nil, fmt.Errorf("store: list proposals: %w", err)
		}
		if len(phrases) == 0 {
			return nil, nil
		}
	}
	if keys, err = r.listMatching(ctx, proposalWords, phrases, f, after, limit); err != nil {
		return nil, fmt.Errorf("store: list proposals: %w", err)
	}
	return keys, nil
}

// listMatching is a list of what holds all phrases in an index, whatever the filter's
// words are; of everything when there are none.
func (r *Reader) listMatching(ctx context.Context, in index, phrases []string, f ProposalFilter, after *Key, limit int) ([]Key, error) {
	w := wordsOfList{in: in, match: strings.Join(phrases, " ")}
	if len(phrases) > 0 {
		found, err := r.holdersOfAll(ctx, in, phrases)
		if err != nil || found.rows.IsEmpty() {
			return nil, err
		}
		w.holders = found
	}
	front, rest := f.orders()
	if front == nil {
		return nil, fmt.Errorf("unknown order %q", f.Sort)
	}
	if rest == nil {
		return r.listProposals(ctx, f, w, front, after, limit)
	}
	// Two lists, one behind the other, each in the order of an index.
	var keys []Key
	if after == nil || after.Value > behind/2 {
		var err error
		if keys, err = r.listProposals(ctx, f, w, front, after, limit); err != nil || len(keys) == limit {
			return keys, err
		}
		after = nil
	}
	others, err := r.listProposals(ctx, f, w, rest, after, limit-len(keys))
	return append(keys, others...), err
}

// order adds what a list of proposals p selects, and returns how it is ordered.
type order func(c *clauses, f *ProposalFilter, now int64) columns

// columns are those that a list is ordered by: of one table, so that an index
// has them. The index is of value, which ascends where the key does not; key
// makes one of the other, either way.
type columns struct {
	value, uri string
	ascending  bool
	key        func(int64) int64
}

func same(v int64) int64 { return v }

// orders are the list of what the sort compares and of what comes behind it, if
// anything does.
func (f *ProposalFilter) orders() (front, rest order) {
	switch f.Sort {
	case SortHot:
		return byHot, nil
	case SortNew:
		return byTime, nil
	case SortEstimated:
		return byEstimated, byTimeUnestimated
	case SortPledged:
		return byPledged, byTimeUnpledged
	case SortClosing:
		return byClosing, byTimeNotClosing
	}
	return nil, nil
}

func byHot(c *clauses, _ *ProposalFilter, now int64) columns {
	c.add(`SELECT k.hot, k.proposal_uri FROM ranking k JOIN proposal p ON p.uri = k.proposal_uri
		JOIN stage_interval s ON s.proposal_uri = k.proposal_uri AND s.from_at <= ? AND s.to_at > ?
		WHERE k.from_at <= ? AND k.to_at > ?`, now, now, now, now)
	return columns{value: "k.hot", uri: "k.proposal_uri", key: same}
}

func byTime(c *clauses, _ *ProposalFilter, now int64) columns {
	c.add(`SELECT p.created_at, p.uri FROM proposal p
		JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
		WHERE true`, now, now)
	return columns{value: "p.created_at", uri: "p.uri", key: same}
}

// behindOthers is byTime for what comes behind another list.
func behindOthers(c *clauses, now int64) columns {
	out := byTime(c, nil, now)
	out.key = func(v int64) int64 {
		if v < behind/2 {
			return v - behind
		}
		return v + behind
	}
	return out
}

func byEstimated(c *clauses, f *ProposalFilter, now int64) columns {
	c.add(`SELECT m.estimated, m.proposal_uri FROM funding m JOIN proposal p ON p.uri = m.proposal_uri
		JOIN stage_interval s ON s.proposal_uri = m.proposal_uri AND s.from_at <= ? AND s.to_at > ?
		WHERE m.currency = ? AND m.from_at <= ? AND m.to_at > ? AND m.estimated > 0`,
		now, now, f.SortCurrency, now, now)
	return columns{value: "m.estimated", uri: "m.proposal_uri", key: same}
}

func byTimeUnestimated(c *clauses, f *ProposalFilter, now int64) columns {
	out := behindOthers(c, now)
	c.add(` AND NOT EXISTS (SELECT 1 FROM funding m WHERE m.proposal_uri = p.uri AND m.currency = ?
		AND m.from_at <= ? AND m.to_at > ? AND m.estimated > 0)`, f.SortCurrency, now, now)
	return out
}

func byPledged(c *clauses, f *ProposalFilter, now int64) columns {
	c.add(`SELECT m.pledged, m.proposal_uri FROM funding m JOIN proposal p ON p.uri = m.proposal_uri
		JOIN stage_interval s ON s.proposal_uri = m.proposal_uri AND s.from_at <= ? AND s.to_at > ?
		WHERE m.currency = ? AND m.from_at <= ? AND m.to_at > ? AND m.pledged > 0`,
		now, now, f.SortCurrency, now, now)
	return columns{value: "m.pledged", uri: "m.proposal_uri", key: same}
}

func byTimeUnpledged(c *clauses, f *ProposalFilter, now int64) columns {
	out := behindOthers(c, now)
	c.add(` AND NOT EXISTS (SELECT 1 FROM funding m WHERE m.proposal_uri = p.uri AND m.currency = ?
		AND m.from_at <= ? AND m.to_at > ? AND m.pledged > 0)`, f.SortCurrency, now, now)
	return out
}

// eventCloses is what the clock brings next while pledges are taken.
const eventCloses = lifecycle.NextPreviewCloses

func byClosing(c *clauses, _ *ProposalFilter, now int64) columns {
	c.add(`SELECT s.next_at, s.proposal_uri FROM stage_interval s JOIN proposal p ON p.uri = s.proposal_uri
		WHERE s.next_event = ? AND s.next_at > ? AND s.from_at <= ? AND s.to_at > ?`, eventCloses, now, now, now)
	return columns{value: "s.next_at", uri: "s.proposal_uri", ascending: true, key: func(v int64) int64 { return -v }}
}

func byTimeNotClosing(c *clauses, _ *ProposalFilter, now int64) columns {
	out := behindOthers(c, now)
	c.add(` AND NOT coalesce(s.next_event = ? AND s.next_at > ?, false)`, eventCloses, now)
	return out
}

// listProposals asks apart for what is about a project and for what a claim makes
// its own: the first list, which may be long, then follows an index.
func (r *Reader) listProposals(ctx context.Context, f ProposalFilter, w wordsOfList, by order, after *Key, limit int) ([]Key, error) {
	if f.Project == "" {
		return r.listBelonging(ctx, f, w, anywhere, by, after, limit)
	}
	keys, err := r.listBelonging(ctx, f, w, bySubject, by, after, limit)
	if err != nil {
		return nil, err
	}
	claimed, err := r.listBelonging(ctx, f, w, byClaim, by, after, limit)
	if err != nil || len(claimed) == 0 {
		return keys, err
	}
	keys = append(keys, claimed...)
	slices.SortFunc(keys, bestFirst)
	return keys[:min(len(keys), limit)], nil
}

// belonging adds a condition on how the proposal p belongs to the filter's project.
type belonging func(c *clauses, f *ProposalFilter, now int64)

func anywhere(*clauses, *ProposalFilter, int64) {}

func bySubject(c *clauses, f *ProposalFilter, _ int64) {
	c.add(` AND p.subject_project = ?`, f.Project)
}

func byClaim(c *clauses, f *ProposalFilter, now int64) {
	c.add(` AND p.subject_uri IS NOT NULL AND p.uri IN (
		SELECT proposal_uri FROM claimed WHERE project = ? AND from_at <= ? AND to_at > ?)`, f.Project, now, now)
}

// eitherWay is for lists that are in no order of ours.
func eitherWay(c *clauses, f *ProposalFilter, now int64) {
	if f.Project == "" {
		return
	}
	c.add(` AND (p.subject_project = ? OR p.uri IN (
		SELECT proposal_uri FROM claimed WHERE project = ? AND from_at <= ? AND to_at > ?))`,
		f.Project, f.Project, now, now)
}

func (r *Reader) listBelonging(ctx context.Context, f ProposalFilter, w wordsOfList, to belonging, by order, after *Key, limit int) ([]Key, error) {
	if w.match == "" {
		return r.listOnce(ctx, f, w, to, by, after, limit)
	}
	return r.listHolders(ctx, f, w, to, by, after, limit)
}

// listOnce is a list by one statement.
func (r *Reader) listOnce(ctx context.Context, f ProposalFilter, w wordsOfList, to belonging, by order, after *Key, limit int) ([]Key, error) {
	var c clauses
	now := millis(r.now)
	columns := by(&c, &f, now)
	f.narrow(&c, now)
	to(&c, &f, now)
	w.narrow(&c, now)
	if after != nil {
		columns.after(&c, columns.key(after.Value), after.URI)
	}
	direction := " DESC"
	if columns.ascending {
		direction = ""
	}
	c.add(` ORDER BY ` + columns.value + direction + `, ` + columns.uri + ` DESC`)
	c.limit(limit)
	keys, err := collect(ctx, r.tx, c.text.String(), scanKey, c.args...)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		keys[i].Value = columns.key(keys[i].Value)
	}
	return keys, nil
}

// after adds the condition that rows come after those with the value and the uri.
func (by columns) after(c *clauses, value int64, uri syntax.ATURI) {
	if !by.ascending {
		c.add(` AND (`+by.value+`, `+by.uri+`) < (?, ?)`, value, uri)
		return
	}
	c.add(` AND `+by.value+` >= ? AND (`+by.value+` > ? OR `+by.uri+` < ?)`, value, value, uri)
}

// picks reports whether the filter leaves out all but what an index lists.
func (f *ProposalFilter) picks() bool {
	return f.Project != "" || f.Account != "" || f.URI != "" || f.Author != "" || f.Backer != "" || f.Tag != ""
}

// narrow adds the conditions of the filter, but for the one on the project.
func (f *ProposalFilter) narrow(c *clauses, now int64) {
	if len(f.Stages) > 0 {
		column := `s.stage`
		if slices.ContainsFunc(f.Stages, crowded) {
			column = `(s.stage || '')` // no index has that: the order is followed, instead of sorting nearly all there is
		}
		c.add(` AND `+column+` IN (SELECT value FROM json_each(?))`, jsonList(f.Stages))
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
		until := now + lifecycle.FutureTolerance.Milliseconds()
		c.add(` AND p.uri IN (
			SELECT proposal_uri FROM estimate WHERE author = ? AND created_at <= ?
			UNION ALL SELECT proposal_uri FROM pledge WHERE author = ? AND created_at <= ?
			UNION ALL SELECT proposal_uri FROM donation WHERE author = ? AND created_at <= ?)`,
			f.Backer, until, f.Backer, until, f.Backer, until)
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
	c.add(` ORDER BY j.created_at DESC, j.uri DESC`)
	c.limit(limit)
	keys, err := collect(ctx, r.tx, c.text.String(), scanKey, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list projects: %w", err)
	}
	return keys, nil
}

// ListMaintained returns the visible projects of others of which an account is a
// maintainer, newest first.
func (r *Reader) ListMaintained(ctx context.Context, did syntax.DID, limit int) ([]syntax.ATURI, error) {
	var c clauses
	c.add(`SELECT j.uri FROM project_maintainer m JOIN project j ON j.record_id = m.record_id JOIN repo a ON a.did = j.owner
		WHERE m.did = ? AND j.owner <> ? AND a.status = 'active' AND j.created_at <= ?
		ORDER BY j.created_at DESC, j.uri DESC`, did, did, millis(r.now.Add(lifecycle.FutureTolerance)))
	c.limit(limit)
	uris, err := collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list what %s maintains: %w", did, err)
	}
	return uris, nil
}

func scanKey(rows *sql.Rows) (k Key, err error) {
	err = rows.Scan(&k.Value, &k.URI)
	return k, err
}
