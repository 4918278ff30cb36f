package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/stratosfund/stratosfund/indexer/words"
)

// question is a text that is searched for, as queries of FTS5.
type question struct {
	// all finds what holds every word; empty when there is none.
	all string
	// telling ranks: it is of the words that not too many hold. Empty when all are.
	telling string
}

// within is the question for texts that have all words in one column.
func (q question) within(column string) string { return column + ` : (` + q.all + `)` }

// held counts the texts of an index that a query of FTS5 finds, up to a bound.
type held func(ctx context.Context, r *Reader, match string, most int) (n int, err error)

func proposalWords(ctx context.Context, r *Reader, match string, most int) (n int, err error) {
	err = r.tx.QueryRowContext(ctx, `
		SELECT count(*) FROM (SELECT 1 FROM proposal_fts WHERE proposal_fts MATCH $1 LIMIT $2)`, match, most).Scan(&n)
	return n, err
}

func projectWords(ctx context.Context, r *Reader, match string, most int) (n int, err error) {
	err = r.tx.QueryRowContext(ctx, `
		SELECT count(*) FROM (SELECT 1 FROM project_fts WHERE project_fts MATCH $1 LIMIT $2)`, match, most).Scan(&n)
	return n, err
}

// matchAll is the query of FTS5 for all words of a text; empty when it has none.
func (r *Reader) matchAll(ctx context.Context, in held, text string) (string, error) {
	all, err := r.phrases(ctx, in, text)
	return strings.Join(all, " "), err
}

// phrases are the queries of FTS5 for the words of a text. A last word that a crowd
// holds as it stands is not taken for the beginning of others: to find all of these
// costs more than anything else of a search, each time.
func (r *Reader) phrases(ctx context.Context, in held, text string) (out []string, err error) {
	for _, w := range words.Parse(text, searchTokens) {
		if w.Open {
			closed := w
			closed.Open = false
			n, err := in(ctx, r, phrase(closed), r.crowd)
			if err != nil {
				return nil, fmt.Errorf("count what holds the last word: %w", err)
			}
			w.Open = n < r.crowd
		}
		out = append(out, phrase(w))
	}
	return out, nil
}

// ask is the question for all words of a text.
func (r *Reader) ask(ctx context.Context, in held, text string) (question, error) {
	all, err := r.phrases(ctx, in, text)
	if err != nil {
		return question{}, err
	}
	telling, err := r.telling(ctx, in, all)
	return question{strings.Join(all, " "), strings.Join(telling, " ")}, err
}

// askAny is the question for titles with any token of a text, or with all of them
// when none of them tells anything.
func (r *Reader) askAny(ctx context.Context, title string) (question, error) {
	var tokens, whole []string
	for _, w := range words.Parse(title, similarTokens) {
		whole = append(whole, phrase(w))
		for i, token := range w.Tokens {
			tokens = append(tokens, phrase(words.Word{Tokens: []string{token}, Open: w.Open && i == len(w.Tokens)-1, Half: w.Half}))
		}
	}
	if len(tokens) == 0 {
		return question{}, nil
	}
	telling, err := r.telling(ctx, proposalWords, tokens)
	if err != nil || len(telling) == 0 {
		return question{all: `title : (` + strings.Join(whole, " ") + `)`}, err
	}
	any := `title : (` + strings.Join(telling, " OR ") + `)`
	return question{all: any, telling: any}, nil
}

// telling are the phrases that not too many texts hold, and some do.
func (r *Reader) telling(ctx context.Context, in held, phrases []string) (out []string, err error) {
	for _, p := range phrases {
		n, err := in(ctx, r, p, r.crowd)
		if err != nil {
			return nil, fmt.Errorf("count what holds a word: %w", err)
		}
		if 0 < n && n < r.crowd {
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
