package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// lineReader reads all lines of the ledger in their order, one at a time.
type lineReader struct {
	rows  *sql.Rows
	entry int64 // of the line at hand; 0 at the end
	line  struct {
		number        int
		debit, credit lineSide
		amount        int64
	}
	bytes canonical // to build an entry in, again and again
}

type lineSide struct {
	id   int64
	path string
}

// readLines begins with the first line. An account that is not there has no path.
func readLines(ctx context.Context, q sqlite.Querier) (*lineReader, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT posting.entry, posting.line, posting.amount, posting.debit, coalesce(debit.path, ''), posting.credit, coalesce(credit.path, '')
		FROM posting
		LEFT JOIN account AS debit ON debit.id = posting.debit
		LEFT JOIN account AS credit ON credit.id = posting.credit
		ORDER BY posting.entry, posting.line`)
	if err != nil {
		return nil, fmt.Errorf("read the postings: %w", err)
	}
	r := &lineReader{rows: rows}
	if err := r.next(); err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	return r, nil
}

func (r *lineReader) next() error {
	if !r.rows.Next() {
		r.entry = 0
		return r.rows.Err()
	}
	l := &r.line
	err := r.rows.Scan(&r.entry, &l.number, &l.amount, &l.debit.id, &l.debit.path, &l.credit.id, &l.credit.path)
	if err != nil {
		return fmt.Errorf("read the postings: %w", err)
	}
	return nil
}

// Close ends the reading.
func (r *lineReader) Close() error { return r.rows.Close() }
