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
	"strings"
	"unicode"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

const (
	// SearchDepth is how many proposals the pages of one search show together.
	SearchDepth = 150
	// searchWords is how many words of a query are looked for. It bounds what a
	// query costs; one that a person typed has fewer.
	searchWords = 16
	// similarWords likewise bounds titles that are compared.
	similarWords = 12
)

// SearchProposals returns the visible proposals that hold all words of q and pass
// the filter, best first; the sort of the filter does not matter. A word may be
// in the title, which weighs most, the description, the tags or the name of the
// project. The last word may be the beginning of one, unless something that is no
// word follows it. Text without words finds nothing.
//
// Ranks move whenever a proposal is added anywhere, so a rank is no place to go
// on from. The pages remember what they have shown instead: give seen as the page
// before returned it, with the same moment, and nothing comes twice or is left
// out. next is nil when nothing more is to come; after [SearchDepth] proposals
// nothing is.
func (r *Reader) SearchProposals(ctx context.Context, q string, f ProposalFilter, seen Seen, limit int) (page []syntax.ATURI, next *Seen, err error) {
	match, ok := matchAll(q)
	if !ok {
		return nil, nil, nil
	}
	limit = min(limit, SearchDepth-len(seen.shown))
	if limit <= 0 {
		return nil, nil, nil
	}
	var c clauses
	c.add(`SELECT p.uri FROM proposal_fts w JOIN proposal p ON p.record_id = w.rowid
		JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
		WHERE w.proposal_fts MATCH ?`, millis(r.now), millis(r.now), match)
	f.narrow(&c, millis(r.now))
	c.add(` ORDER BY w.rank`)
	c.limit(len(seen.shown) + limit + 1) // among these are as many that were not shown
	found, err := collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
	if err != nil {
		return nil, nil, fmt.Errorf("store: search proposals: %w", err)
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

// SearchSimilar returns the visible proposals whose titles share words with a
// title that somebody is typing, most alike first. The filter may narrow it to
// one subject.
func (r *Reader) SearchSimilar(ctx context.Context, title string, f ProposalFilter, limit int) ([]syntax.ATURI, error) {
	match, ok := matchTitle(title)
	if !ok {
		return nil, nil
	}
	var c clauses
	c.add(`SELECT p.uri FROM proposal_fts w JOIN proposal p ON p.record_id = w.rowid
		JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
		WHERE w.proposal_fts MATCH ?`, millis(r.now), millis(r.now), match)
	f.narrow(&c, millis(r.now))
	c.add(` ORDER BY w.rank`)
	c.limit(limit)
	found, err := collect(ctx, r.tx, c.text.String(), scanURI, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: search similar proposals: %w", err)
	}
	return found, nil
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

// matchAll is the query of FTS5 for all words of a text; ok is false when it has
// none.
func matchAll(text string) (match string, ok bool) {
	words, open := splitWords(text, searchWords)
	return join(words, open, " "), len(words) > 0
}

// matchTitle is the query of FTS5 for titles with any word of a text.
func matchTitle(text string) (match string, ok bool) {
	words, open := splitWords(text, similarWords)
	return `title : (` + join(words, open, " OR ") + `)`, len(words) > 0
}

// join quotes the words: between quotes nothing is an operator, and a word has
// no quotes.
func join(words []string, open bool, operator string) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteString(operator)
		}
		b.WriteString(`"` + word + `"`)
		if open && i == len(words)-1 {
			b.WriteString("*")
		}
	}
	return b.String()
}

// splitWords returns the first words of a text, without repetition. open: the
// text ends with a word, which may go on. A word is what the tokenizer of the
// index makes one or more tokens of, so nothing else is ever part of a query.
func splitWords(text string, most int) (words []string, open bool) {
	seen := map[string]bool{}
	for rest := range strings.FieldsFuncSeq(text, func(c rune) bool { return !unicode.In(c, wordRunes...) }) {
		if !strings.ContainsFunc(rest, func(c rune) bool { return unicode.In(c, tokenRunes...) }) {
			open = false // marks with nothing to stand on
			continue
		}
		if len(words) == most {
			return words, false
		}
		open = strings.HasSuffix(text, rest)
		if seen[rest] && !open {
			continue
		}
		seen[rest] = true
		words = append(words, rest)
	}
	return words, open
}

var (
	tokenRunes = []*unicode.RangeTable{unicode.L, unicode.N, unicode.Co}
	wordRunes  = append([]*unicode.RangeTable{unicode.M}, tokenRunes...)
)
