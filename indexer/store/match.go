package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stratosfund/stratosfund/indexer/words"
)

// question is a text that is searched for, as queries of FTS5.
type question struct {
	// phrases are its words, and all finds what holds every one; empty when there is none.
	phrases []string
	all     string
	// telling ranks: it is of the words that not too many hold. Empty when all are.
	telling string
}

// within is the question for texts that have all words in one column.
func (q question) within(column string) string { return column + ` : (` + q.all + `)` }

// index is one of those for full-text search. The rows of those of proposals are
// those of wording, each of which holds for a time; the others' are records.
type index struct{ table string }

var (
	proposalWords = index{"proposal_fts"}
	titleWords    = index{"title_fts"}
	projectWords  = index{"project_fts"}
)

// aboutProposals adds to rows w of an index of proposals those p that they are about.
func aboutProposals(c *clauses, now int64) {
	c.add(` CROSS JOIN wording g ON g.id = w.rowid AND g.from_at <= ? AND g.to_at > ?
		CROSS JOIN proposal p ON p.record_id = g.record_id`, now, now)
}

// records adds the ids of the proposals' records that a query of FTS5 finds at a
// moment, as a statement.
func (in index) records(c *clauses, match string, now int64) {
	c.add(`SELECT g.record_id FROM `+in.table+` w CROSS JOIN wording g ON g.id = w.rowid AND g.from_at <= ? AND g.to_at > ?
		WHERE w.`+in.table+` MATCH ?`, now, now, match)
}

// matching adds the ids of the rows that a query of FTS5 finds, as a statement that
// can be gone on with.
func (in index) matching(c *clauses, match string) {
	c.add(`SELECT rowid FROM `+in.table+` WHERE `+in.table+` MATCH ?`, match)
}

// held counts the texts of an index that a query of FTS5 finds, up to a bound.
func (r *Reader) held(ctx context.Context, in index, match string, most int) (int, error) {
	state, err := r.State(ctx)
	if err != nil {
		return 0, err
	}
	key := countOf{in.table, match, most}
	if c, ok := r.known.counts.Get(key); ok && c.state == state {
		return c.n, nil
	}
	c := counted{state: state}
	err = r.tx.QueryRowContext(ctx, `
		SELECT count(*) FROM (SELECT 1 FROM `+in.table+` WHERE `+in.table+` MATCH $1 LIMIT $2)`, match, most).Scan(&c.n)
	if err != nil {
		return 0, fmt.Errorf("count what holds words: %w", err)
	}
	r.known.counts.Put(key, c)
	return c.n, nil
}

// crowds counts what holds a phrase, up to a crowd, and each phrase once.
type crowds struct {
	r     *Reader
	in    index
	known map[string]int
}

func (r *Reader) crowds(in index) crowds { return crowds{r, in, map[string]int{}} }

func (c crowds) held(ctx context.Context, phrase string) (n int, err error) {
	n, ok := c.known[phrase]
	if ok {
		return n, nil
	}
	if n, err = c.r.held(ctx, c.in, phrase, c.r.crowd.from); err == nil {
		c.known[phrase] = n
	}
	return n, err
}

// phrases are the queries of FTS5 for the words of a text, up to so many tokens. A last word that a crowd
// holds as it stands is not taken for the beginning of others: to find all of these
// costs more than anything else of a search, each time.
func (c crowds) phrases(ctx context.Context, text string, most int) (out []string, err error) {
	for _, w := range words.Parse(text, most) {
		if w.Open {
			closed := w
			closed.Open = false
			n, err := c.held(ctx, phrase(closed))
			if err != nil {
				return nil, err
			}
			w.Open = n < c.r.crowd.from
		}
		out = append(out, phrase(w))
	}
	return out, nil
}

// ask is the question for all words of a text.
func (r *Reader) ask(ctx context.Context, in index, text string) (question, error) {
	c := r.crowds(in)
	all, err := c.phrases(ctx, text, searchTokens)
	if err != nil {
		return question{}, err
	}
	telling, err := c.telling(ctx, all)
	return question{all, strings.Join(all, " "), strings.Join(telling, " ")}, err
}

// askAny is the question for titles with any token of a text, or with all of them
// when none of them tells anything. Where those that tell something are together
// in as many titles as a crowd, it is for the rarest of them.
func (r *Reader) askAny(ctx context.Context, title string) (question, error) {
	var tokens []string
	for _, w := range words.Parse(title, similarTokens) {
		for i, token := range w.Tokens {
			tokens = append(tokens, phrase(words.Word{Tokens: []string{token}, Open: w.Open && i == len(w.Tokens)-1, Half: w.Half}))
		}
	}
	c := r.crowds(titleWords)
	telling, err := c.telling(ctx, tokens)
	if err != nil {
		return question{}, err
	}
	if len(telling) == 0 {
		all, err := c.phrases(ctx, title, similarTokens)
		return question{phrases: all, all: strings.Join(all, " ")}, err
	}
	slices.SortStableFunc(telling, func(a, b string) int { return cmp.Compare(c.known[a], c.known[b]) })
	rarest, together := 0, 0
	for _, p := range telling {
		if together += c.known[p]; together >= r.crowd.from && rarest > 0 {
			break
		}
		rarest++
	}
	any := strings.Join(telling[:rarest], " OR ")
	return question{all: any, telling: any}, nil
}

// telling are the phrases that not too many texts hold, and some do.
func (c crowds) telling(ctx context.Context, phrases []string) (out []string, err error) {
	for _, p := range phrases {
		n, err := c.held(ctx, p)
		if err != nil {
			return nil, err
		}
		if 0 < n && n < c.r.crowd.from {
			out = append(out, p)
		}
	}
	return out, nil
}

// phrase is the query of FTS5 for a word. Between quotes nothing is an operator,
// and tokens have no quotes.
func phrase(w words.Word) string {
	p := `"` + strings.Join(w.Tokens, " ") + `"`
	if w.Open || w.Half {
		p += "*"
	}
	return p
}
