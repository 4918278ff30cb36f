package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// bounds say what a crowd is, and how far searches and lists look into one.
type bounds struct {
	// from so many texts on, what holds a word is a crowd: too many to tell which of
	// them is meant. To rank one costs some microseconds.
	from int
	// front is how many are put in order at least, and ahead how many for each that is
	// wanted; where too few of these are visible and pass a filter, as many again, until
	// reach for each that is wanted were looked at.
	front, ahead, reach int
	// followed is how much of an order is followed at a time, in search of what holds
	// words.
	followed int
}

// crowd are the bounds of every reader, but for tests.
var crowd = bounds{from: 3000, front: 100, ahead: 2, reach: 16, followed: 1024}

// atOnce is how many of a crowd are put in order for so many that are wanted.
func (b bounds) atOnce(wanted int) int { return max(b.front, b.ahead*wanted) }

// wordsOfList are the words that narrow a list.
type wordsOfList struct {
	in      index
	match   string // the query of FTS5; empty for no words
	holders holders
}

// narrow adds the condition on words: what holds them is looked up.
func (w wordsOfList) narrow(c *clauses, now int64) {
	if w.match == "" {
		return
	}
	c.add(` AND p.record_id IN (`)
	w.in.records(c, w.match, now)
	c.add(`)`)
}

// listHolders is a list of what holds words. It follows the order without the words, as
// far as they are likely to be met, and asks of each proposal whether it holds them. What
// holds words that few hold is looked up and sorted: so is the rest, once as much of the order
// was followed in vain as there is to be sorted.
func (r *Reader) listHolders(ctx context.Context, f ProposalFilter, w wordsOfList, to belonging, by order, after *Key, limit int) (keys []Key, err error) {
	sorted := int(w.holders.rows.GetCardinality())
	// Of so many rows one holds the words: at first as they are in all of the index.
	oneIn := max(1, int(w.holders.last)/sorted)
	for followed := 0; ; {
		step := min((limit-len(keys))*oneIn*5/4, r.crowd.followed)
		if step == 0 || followed+step > sorted {
			break
		}
		some, err := r.listOnce(ctx, f, wordsOfList{}, to, by, after, step)
		if err != nil {
			return nil, err
		}
		in, err := r.holding(ctx, w, some)
		if err != nil {
			return nil, fmt.Errorf("ask what holds words: %w", err)
		}
		if keys = append(keys, in...); len(keys) >= limit {
			return keys[:limit], nil
		}
		if len(some) < step {
			return keys, nil
		}
		followed += step
		after = &some[step-1]
		oneIn = max(oneIn, followed/(len(keys)+1))
	}
	rest, err := r.listOnce(ctx, f, w, to, by, after, limit-len(keys))
	return append(keys, rest...), err
}

// holding returns those of the keys of proposals that hold the words now.
func (r *Reader) holding(ctx context.Context, w wordsOfList, keys []Key) ([]Key, error) {
	uris := make([]syntax.ATURI, len(keys))
	for i, k := range keys {
		uris[i] = k.URI
	}
	now, holding := millis(r.now), map[syntax.ATURI]bool{}
	_, err := collect(ctx, r.tx, `
		SELECT g.id, p.uri FROM json_each($1) u CROSS JOIN proposal p ON p.uri = u.value
		CROSS JOIN wording g ON g.record_id = p.record_id AND g.from_at <= $2 AND g.to_at > $2`,
		func(rows *sql.Rows) (id uint64, err error) {
			var uri syntax.ATURI
			err = rows.Scan(&id, &uri)
			holding[uri] = w.holders.rows.Contains(id)
			return id, err
		}, jsonList(uris), now)
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return !holding[k.URI] }), err
}
