package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

const (
	// SearchDepth is how many proposals, or projects, the pages of one search show
	// together.
	SearchDepth = 150
	// searchTokens is how many tokens of a query are looked for. It bounds what a
	// query costs; one that a person typed has fewer.
	searchTokens = 16
	// similarTokens likewise bounds titles that are compared.
	similarTokens = 12
)

// SearchProposals returns the visible proposals that hold all words of q and pass
// the filter, best first; the sort of the filter does not matter. A word may be
// in the title, which weighs most, the description, the tags or the name of the
// project. The last word may be the beginning of one, unless something that is no
// word follows it, or thousands hold it as it stands. Text without words finds nothing.
//
// Words that thousands hold say nothing about which is best, and the others decide.
// A query of such words alone finds first what has all of them in its title, then
// the rest, each by hotness among those of each that were indexed last: as many
// as the bounds say, and all where too few of these are to be shown, or where the
// filter is on more than stages and a currency.
//
// Ranks move whenever a proposal is added anywhere, so a rank is no place to go
// on from. The pages remember what they have shown instead: give seen as the page
// before returned it, with the same moment, and nothing comes twice or is left
// out. next is nil when nothing more is to come; after [SearchDepth] proposals
// nothing is.
func (r *Reader) SearchProposals(ctx context.Context, q string, f ProposalFilter, seen Seen, limit int) (page []syntax.ATURI, next *Seen, err error) {
	page, next, err = r.nextPage(seen, limit, func(n int) ([]syntax.ATURI, error) {
		asked, err := r.ask(ctx, proposalWords, q)
		if err != nil || asked.all == "" {
			return nil, err
		}
		if asked.telling != "" {
			return r.rankedProposals(ctx, proposalWords, asked, f, n)
		}
		return inTurn(n,
			func() ([]syntax.ATURI, error) { return r.crowdedProposals(ctx, titleWords, asked, f, n) },
			func() ([]syntax.ATURI, error) { return r.crowdedProposals(ctx, proposalWords, asked, f, n) })
	})
	if err != nil {
		return nil, nil, fmt.Errorf("store: search proposals: %w", err)
	}
	return page, next, nil
}

// SearchProjects returns the visible projects that hold all words of q, of one owner
// if given, best first: as [Reader.SearchProposals] does, with names for titles,
// but that of a crowd those come first which are newest.
func (r *Reader) SearchProjects(ctx context.Context, q string, owner syntax.DID, seen Seen, limit int) (page []syntax.ATURI, next *Seen, err error) {
	page, next, err = r.nextPage(seen, limit, func(n int) ([]syntax.ATURI, error) {
		asked, err := r.ask(ctx, projectWords, q)
		if err != nil || asked.all == "" {
			return nil, err
		}
		if asked.telling != "" {
			return r.rankedProjects(ctx, asked, owner, n)
		}
		return inTurn(n,
			func() ([]syntax.ATURI, error) { return r.crowdedProjects(ctx, asked.within("name"), owner, n) },
			func() ([]syntax.ATURI, error) { return r.crowdedProjects(ctx, asked.all, owner, n) })
	})
	if err != nil {
		return nil, nil, fmt.Errorf("store: search projects: %w", err)
	}
	return page, next, nil
}

// SearchSimilar returns the visible proposals whose titles share words with a
// title that somebody is typing, most alike first. The filter may narrow it to
// one subject. Words that are in thousands of titles do not count, unless there are
// no others: then the titles must have all of them. Nor do the more frequent ones
// of a title of which the rarer ones alone are in thousands.
func (r *Reader) SearchSimilar(ctx context.Context, title string, f ProposalFilter, limit int) (found []syntax.ATURI, err error) {
	asked, err := r.askAny(ctx, title)
	switch {
	case err != nil || asked.all == "":
	case asked.telling != "":
		found, err = r.rankedProposals(ctx, titleWords, asked, f, limit)
	default:
		found, err = r.crowdedProposals(ctx, titleWords, asked, f, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("store: search similar proposals: %w", err)
	}
	return found, nil
}

// nextPage is what follows on the pages that have shown seen. find returns the
// first n of what is found, best first.
func (r *Reader) nextPage(seen Seen, limit int, find func(n int) ([]syntax.ATURI, error)) (page []syntax.ATURI, next *Seen, err error) {
	limit = min(limit, SearchDepth-len(seen.shown))
	if limit <= 0 {
		return nil, nil, nil
	}
	found, err := find(len(seen.shown) + limit + 1) // among these are as many that were not shown
	if err != nil {
		return nil, nil, err
	}
	found = slices.DeleteFunc(found, func(uri syntax.ATURI) bool { return seen.has(r.mark(uri)) })
	if len(found) <= limit {
		return found, nil, nil
	}
	page = found[:limit]
	if len(seen.shown)+limit == SearchDepth {
		return page, nil, nil
	}
	next = &Seen{shown: slices.Clone(seen.shown)}
	for _, uri := range page {
		next.shown = append(next.shown, r.mark(uri))
	}
	return page, next, nil
}

// inTurn returns the first n of what the finds find, one after the other, nothing
// twice.
func inTurn(n int, finds ...func() ([]syntax.ATURI, error)) (all []syntax.ATURI, err error) {
	for _, find := range finds {
		if len(all) == n {
			break
		}
		found, err := find()
		if err != nil {
			return nil, err
		}
		for _, uri := range found {
			if len(all) < n && !slices.Contains(all, uri) {
				all = append(all, uri)
			}
		}
	}
	return all, nil
}

// rankedProposals are the first n visible proposals that pass the filter, by how
// well they fit the telling words.
func (r *Reader) rankedProposals(ctx context.Context, in index, asked question, f ProposalFilter, n int) ([]syntax.ATURI, error) {
	var c clauses
	now := millis(r.now)
	c.add(`SELECT p.uri FROM ` + in.table + ` w`)
	aboutProposals(&c, now)
	c.add(` CROSS JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
		WHERE w.`+in.table+` MATCH ?`, now, now, asked.telling)
	if asked.all != asked.telling {
		c.add(` AND +w.rowid IN (`)
		in.matching(&c, asked.all)
		c.add(`)`)
	}
	f.narrow(&c, now)
	eitherWay(&c, &f, now)
	c.add(` ORDER BY w.rank`)
	c.limit(n)
	return collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
}

// crowdedProposals are the hottest n visible proposals that pass the filter, of very
// many that hold all words of a question. It looks at those indexed last, and at all
// only where too few of these pass, or an index knows what passes.
func (r *Reader) crowdedProposals(ctx context.Context, in index, asked question, f ProposalFilter, n int) ([]syntax.ATURI, error) {
	if f.picks() {
		return r.hottest(ctx, in, asked, f, n)
	}
	found, ok, err := r.hottestOfLast(ctx, in, asked.phrases, f, n)
	if err != nil || ok {
		return found, err
	}
	return r.hottest(ctx, in, asked, f, n)
}

func (r *Reader) hottest(ctx context.Context, in index, asked question, f ProposalFilter, n int) (found []syntax.ATURI, err error) {
	f.Sort = SortHot
	keys, err := r.listMatching(ctx, in, asked.phrases, f, nil, n)
	for _, k := range keys {
		found = append(found, k.URI)
	}
	return found, err
}

// hottestOfLast is hottest of those that were indexed last, so many as the bounds say. ok is
// false when too few of them are visible and pass, and there are others.
func (r *Reader) hottestOfLast(ctx context.Context, in index, phrases []string, f ProposalFilter, n int) (found []syntax.ATURI, ok bool, err error) {
	all, err := r.holdersOfAll(ctx, in, phrases)
	if err != nil {
		return nil, false, err
	}
	var keys []Key
	ids, batch := all.rows.ReverseIterator(), r.crowd.atOnce(n)
	for looked := 0; looked < max(batch, r.crowd.reach*n); looked += batch {
		some, err := r.nextThere(ctx, ids, batch)
		if err != nil {
			return nil, false, err
		}
		passing, err := r.hotness(ctx, some, f)
		if err != nil {
			return nil, false, err
		}
		keys = append(keys, passing...)
		if ok = len(keys) >= n || len(some) < batch; ok {
			break
		}
	}
	slices.SortFunc(keys, bestFirst)
	for _, k := range keys[:min(n, len(keys))] {
		found = append(found, k.URI)
	}
	return found, ok, nil
}

// nextThere are the next of ids, as many as are wanted, that are of wordings which are
// still there.
func (r *Reader) nextThere(ctx context.Context, ids roaring64.IntIterable64, wanted int) (there []int64, err error) {
	for len(there) < wanted && ids.HasNext() {
		var next []uint64
		for len(there)+len(next) < wanted && ids.HasNext() {
			next = append(next, ids.Next())
		}
		some, err := collect(ctx, r.tx, `SELECT g.id FROM json_each($1) i CROSS JOIN wording g ON g.id = i.value`,
			func(rows *sql.Rows) (id int64, err error) {
				err = rows.Scan(&id)
				return id, err
			}, jsonList(next))
		if err != nil {
			return nil, fmt.Errorf("ask which words are still there: %w", err)
		}
		there = append(there, some...)
	}
	return there, nil
}

// hotness is that of the visible proposals that words are about and that pass the
// filter, in no order.
func (r *Reader) hotness(ctx context.Context, wordings []int64, f ProposalFilter) ([]Key, error) {
	var c clauses
	now := millis(r.now)
	c.add(`SELECT k.hot, p.uri FROM json_each(?) w CROSS JOIN wording g ON g.id = w.value AND g.from_at <= ? AND g.to_at > ?
		CROSS JOIN proposal p ON p.record_id = g.record_id
		CROSS JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
		CROSS JOIN ranking k ON k.proposal_uri = p.uri AND k.from_at <= ? AND k.to_at > ?
		WHERE true`, jsonList(wordings), now, now, now, now, now, now)
	f.narrow(&c, now)
	return collect(ctx, r.tx, c.text.String(), scanKey, c.args...)
}

// rankedProjects are the first n visible projects by how well they fit the telling
// words.
func (r *Reader) rankedProjects(ctx context.Context, asked question, owner syntax.DID, n int) ([]syntax.ATURI, error) {
	var c clauses
	c.add(`SELECT j.uri`)
	r.foundProjects(&c, asked.telling, owner)
	if asked.all != asked.telling {
		c.add(` AND +w.rowid IN (SELECT rowid FROM project_fts WHERE project_fts MATCH ?)`, asked.all)
	}
	c.add(` ORDER BY w.rank`)
	c.limit(n)
	return collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
}

// crowdedProjects are the newest n visible projects, of very many that a query of
// FTS5 finds.
func (r *Reader) crowdedProjects(ctx context.Context, match string, owner syntax.DID, n int) ([]syntax.ATURI, error) {
	var c clauses
	if owner != "" {
		c.add(`SELECT j.uri FROM project j JOIN repo a ON a.did = j.owner
			WHERE j.owner = ? AND a.status = 'active' AND j.created_at <= ?
			AND +j.record_id IN (SELECT rowid FROM project_fts WHERE project_fts MATCH ?)
			ORDER BY j.created_at DESC, j.uri DESC`, owner, millis(r.now.Add(lifecycle.FutureTolerance)), match)
		c.limit(n)
		return collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
	}
	c.add(`SELECT uri FROM (SELECT j.uri AS uri, j.created_at AS created_at`)
	r.foundProjects(&c, match, owner)
	c.add(` ORDER BY w.rowid DESC`)
	c.limit(r.crowd.atOnce(n))
	c.add(`) ORDER BY created_at DESC, uri DESC`)
	c.limit(n)
	return collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
}

// foundProjects selects from the visible projects that a query of FTS5 finds.
func (r *Reader) foundProjects(c *clauses, match string, owner syntax.DID) {
	c.add(` FROM project_fts w
		CROSS JOIN project j ON j.record_id = w.rowid
		CROSS JOIN repo a ON a.did = j.owner
		WHERE w.project_fts MATCH ? AND a.status = 'active' AND j.created_at <= ?`, match, millis(r.now.Add(lifecycle.FutureTolerance)))
	if owner != "" {
		c.add(` AND j.owner = ?`, owner)
	}
}

func scanURI(rows *sql.Rows) (uri syntax.ATURI, err error) {
	err = rows.Scan(&uri)
	return uri, err
}

// Seen is what the pages of a search have shown so far. Its text fits into a
// cursor of 1024 characters beside a hundred others, unless it is encoded once
// more. The zero value has shown nothing.
type Seen struct {
	shown []mark
}

// mark stands for a proposal that was shown. It is salted with the moment of the
// first page, which nobody who writes a proposal knows: otherwise one could be
// made to hide another.
type mark uint32

const markBytes = 4

func (r *Reader) mark(uri syntax.ATURI) mark {
	var moment [8]byte
	binary.BigEndian.PutUint64(moment[:], uint64(millis(r.now)))
	sum := sha256.Sum256(append(moment[:], uri...))
	return mark(binary.BigEndian.Uint32(sum[:markBytes]))
}

func (s Seen) has(m mark) bool { return slices.Contains(s.shown, m) }

// String is the text that [ParseSeen] reads.
func (s Seen) String() string {
	raw := make([]byte, 0, len(s.shown)*markBytes)
	for _, m := range s.shown {
		raw = binary.BigEndian.AppendUint32(raw, uint32(m))
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

var errSeen = errors.New("store: no page of a search")

// ParseSeen reads what [Seen.String] wrote; of the empty string it makes the
// zero value.
func ParseSeen(text string) (Seen, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Seen{}, fmt.Errorf("%w: %w", errSeen, err)
	}
	if len(raw)%markBytes != 0 || len(raw) > SearchDepth*markBytes {
		return Seen{}, fmt.Errorf("%w: %d bytes", errSeen, len(raw))
	}
	var s Seen
	for ; len(raw) > 0; raw = raw[markBytes:] {
		s.shown = append(s.shown, mark(binary.BigEndian.Uint32(raw)))
	}
	return s, nil
}
