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
	// front is how many are put in order: some more than are shown.
	front int
	// reach is how many are asked whether they pass a filter, for each that is wanted.
	reach int
	// followed is how much of an order is followed in search of what is in a crowd,
	// before all of it is found; asked is how many are asked together. Most pages are
	// full with the first of these.
	followed, asked int
}

// crowd are the bounds of every reader, but for tests.
var crowd = bounds{from: 3000, front: 200, reach: 16, followed: 256, asked: 128}

// wordsOfList are the words that narrow a list.
type wordsOfList struct {
	in      index
	match   string // the query of FTS5; empty for no words
	crowded bool   // very many proposals hold them
}

// narrow adds the condition on words. What few hold is looked up and sorted; of a
// crowd the order is followed, and each proposal is asked whether it is in it.
func (w wordsOfList) narrow(c *clauses, now int64) {
	switch {
	case w.match == "":
	case !w.crowded:
		c.add(` AND p.record_id IN (`)
		w.in.records(c, w.match, now)
		c.add(`)`)
	case w.in.timed:
		c.add(` AND EXISTS (SELECT 1 FROM wording g WHERE g.record_id = p.record_id AND g.from_at <= ? AND g.to_at > ?
			AND +g.id IN (`, now, now)
		w.in.matching(c, w.match)
		c.add(`))`)
	default:
		c.add(` AND +p.record_id IN (`)
		w.in.matching(c, w.match)
		c.add(`)`)
	}
}

// listCrowd is a list of what is in a crowd. It follows the order without the words
// first, for as long as that is likely to be enough: to find a whole crowd takes more.
func (r *Reader) listCrowd(ctx context.Context, f ProposalFilter, w wordsOfList, to belonging, by order, after *Key, limit int) (keys []Key, err error) {
	followed, err := r.listOnce(ctx, f, wordsOfList{}, to, by, after, r.crowd.followed)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(followed, r.crowd.asked) {
		in, err := r.inCrowd(ctx, w, some)
		if err != nil {
			return nil, fmt.Errorf("ask what is in a crowd: %w", err)
		}
		if keys = append(keys, in...); len(keys) >= limit {
			return keys[:limit], nil
		}
	}
	if len(followed) < r.crowd.followed {
		return keys, nil
	}
	rest, err := r.listOnce(ctx, f, w, to, by, &followed[len(followed)-1], limit-len(keys))
	return append(keys, rest...), err
}

// inCrowd returns those of the keys of proposals that hold the words.
func (r *Reader) inCrowd(ctx context.Context, w wordsOfList, keys []Key) ([]Key, error) {
	rows, err := r.rowsOf(ctx, w.in, keys)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]int64, 0, len(rows))
	for id := range rows {
		ids = append(ids, id)
	}
	first, last := slices.Min(ids), slices.Max(ids)
	var c clauses
	c.add(`SELECT i.value FROM json_each(?) i WHERE `, jsonList(ids))
	if last-first <= int64(len(ids))*w.in.gap {
		c.add(`i.value IN (`)
		w.in.matching(&c, w.match)
		c.add(` AND rowid >= ? AND rowid <= ?)`, first, last)
	} else {
		c.add(`EXISTS (`)
		w.in.matching(&c, w.match)
		c.add(` AND rowid = i.value)`)
	}
	found := map[syntax.ATURI]bool{}
	_, err = collect(ctx, r.tx, c.text.String(), func(rs *sql.Rows) (id int64, err error) {
		err = rs.Scan(&id)
		found[rows[id]] = true
		return id, err
	}, c.args...)
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return !found[k.URI] }), err
}

// rowsOf are the rows of an index that are about the proposals now.
func (r *Reader) rowsOf(ctx context.Context, in index, keys []Key) (map[int64]syntax.ATURI, error) {
	uris := make([]syntax.ATURI, len(keys))
	for i, k := range keys {
		uris[i] = k.URI
	}
	var c clauses
	if in.timed {
		now := millis(r.now)
		c.add(`SELECT g.id, p.uri FROM json_each(?) u CROSS JOIN proposal p ON p.uri = u.value
			CROSS JOIN wording g ON g.record_id = p.record_id AND g.from_at <= ? AND g.to_at > ?`, jsonList(uris), now, now)
	} else {
		c.add(`SELECT p.record_id, p.uri FROM json_each(?) u CROSS JOIN proposal p ON p.uri = u.value`, jsonList(uris))
	}
	rows := map[int64]syntax.ATURI{}
	_, err := collect(ctx, r.tx, c.text.String(), func(rs *sql.Rows) (id int64, err error) {
		var uri syntax.ATURI
		err = rs.Scan(&id, &uri)
		rows[id] = uri
		return id, err
	}, c.args...)
	return rows, err
}
