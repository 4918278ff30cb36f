package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/stratosfund/stratosfund/indexer/bounded"
)

// known is what searches found out and what those after them need not ask again.
type known struct {
	holders *bounded.Cache[phraseOf, holders]
	counts  *bounded.Cache[countOf, counted]
}

const (
	// holdersBytes and countsBytes bound the memory of each.
	holdersBytes = 32 << 20
	countsBytes  = 4 << 20
	// countCost is about what keeping a count takes beside its phrase.
	countCost = 256
)

func newKnown() known {
	return known{
		bounded.New(holdersBytes, func(p phraseOf, h holders) int { return len(p.phrase) + int(h.rows.GetSizeInBytes()) }),
		bounded.New(countsBytes, func(c countOf, _ counted) int { return len(c.match) + countCost }),
	}
}

// phraseOf is a phrase in an index.
type phraseOf struct{ table, phrase string }

// countOf is what was counted, up to a bound, and counted how much that was in a state.
type (
	countOf struct {
		table, match string
		most         int
	}
	counted struct {
		state State
		n     int
	}
)

// holders are the rows of an index that hold a phrase, as somebody found them in a
// state of the database. Rows that went since may be among them.
//
// To ask FTS5 whether a row holds a phrase takes it some 50 µs, and to ask for all
// that hold a frequent word milliseconds; this tells at once. It may be kept because a row
// never changes its words, and no id comes twice: of the rows up to the last one it
// says the truth about all that are there in this state or a later one, and only
// those that came since have to be asked for.
type holders struct {
	state State
	last  int64             // the greatest id there was
	whole int64             // what that was when all were asked for
	rows  *roaring64.Bitmap // never changed
}

// aged: so many rows came since all were asked for that too many may have gone. Whoever
// writes a proposal anew again and again leaves each time one that is not there any more.
func (h holders) aged(last int64, least int) bool {
	return last-h.whole > max(int64(least), h.whole/16)
}

// holdersOfAll returns the rows of an index of proposals that hold all of the phrases.
func (r *Reader) holdersOfAll(ctx context.Context, in index, phrases []string) (holders, error) {
	state, err := r.State(ctx)
	if err != nil {
		return holders{}, err
	}
	var all holders
	for i, phrase := range phrases {
		found, err := r.holders(ctx, in, phrase, state)
		if err != nil {
			return holders{}, err
		}
		if i > 0 {
			found.rows = roaring64.And(all.rows, found.rows)
		}
		all = found
	}
	return all, nil
}

// holders returns those of a phrase in the state that is read. Those of a phrase that
// a crowd holds are kept.
func (r *Reader) holders(ctx context.Context, in index, phrase string, state State) (holders, error) {
	key := phraseOf{in.table, phrase}
	found, ok := r.known.holders.Get(key)
	if ok && found.state == state {
		return found, nil
	}
	var last int64
	if err := r.tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM wording`).Scan(&last); err != nil {
		return holders{}, fmt.Errorf("find the last of the words: %w", err)
	}
	// What went before a later state is still there for this reader.
	if !ok || found.state > state || found.aged(last, r.crowd.from) {
		found = holders{whole: last, rows: roaring64.New()}
	}
	if last > found.last {
		later, err := r.heldAfter(ctx, in, phrase, found.last)
		if err != nil {
			return holders{}, err
		}
		found.rows = roaring64.Or(found.rows, later)
	}
	found.state, found.last = state, last
	if found.rows.GetCardinality() >= uint64(r.crowd.from) {
		r.known.holders.Put(key, found)
	}
	return found, nil
}

// heldAfter are the rows after one that a query of FTS5 finds. They come as one text:
// to step through as many rows of an answer takes several times as long.
func (r *Reader) heldAfter(ctx context.Context, in index, match string, after int64) (*roaring64.Bitmap, error) {
	var list string
	err := r.tx.QueryRowContext(ctx, `
		SELECT coalesce(group_concat(rowid, ' '), '') FROM `+in.table+` WHERE `+in.table+` MATCH $1 AND rowid > $2`, match, after).Scan(&list)
	if err != nil {
		return nil, fmt.Errorf("find what holds words: %w", err)
	}
	var ids []uint64
	for id := range strings.FieldsSeq(list) {
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("find what holds words: %w", err)
		}
		ids = append(ids, n)
	}
	return roaring64.BitmapOf(ids...), nil
}
