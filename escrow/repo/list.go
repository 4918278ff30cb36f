package repo

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// ReceiptFilter narrows a list of receipts; zero fields do not.
type ReceiptFilter struct {
	Development syntax.ATURI
	Payer       syntax.DID
	Status      lifecycle.ReceiptStatus
}

// receiptsScanned is how many receipts one page of a list looks at. Those of a rare
// status may be behind more of them than one request should read.
const receiptsScanned = 1000

// listed is a receipt in the list, with what it says now.
type listed struct {
	number  int64
	subject syntax.ATURI
	status  lifecycle.ReceiptStatus
}

// ListReceipts lists receipts of pledges and donations, those that began last first, before
// a number that an earlier page gave (0: from the newest). Next is where the list goes on,
// 0 at its end; a page may be short, or empty, before that.
func (r *Repo) ListReceipts(ctx context.Context, q sqlite.Querier, f ReceiptFilter, before int64, limit int) (list []View, next int64, err error) {
	if before == 0 {
		before = lastNumber
	}
	query, args := f.query(before)
	rows, err := sqlite.Collect(ctx, q, query, scanListed, append(args, receiptsScanned)...)
	if err != nil {
		return nil, 0, fmt.Errorf("repo: list receipts: %w", err)
	}
	for _, row := range rows {
		if len(list) == limit {
			return list, next, nil
		}
		next = row.number
		if f.Status != "" && row.status != f.Status {
			continue
		}
		view, err := r.Receipt(ctx, q, row.subject)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, view)
	}
	if len(rows) < receiptsScanned {
		next = 0
	}
	return list, next, nil
}

// lastNumber is behind every receipt.
const lastNumber = 1<<63 - 1

// query chooses the index by what is asked for.
func (f ReceiptFilter) query(before int64) (query string, args []any) {
	const columns = `
		SELECT number, subject,
			(SELECT status FROM change WHERE change.pledge = receipt.subject ORDER BY n DESC LIMIT 1),
			(SELECT reversed_at IS NOT NULL FROM donation WHERE donation.subject = receipt.subject)
		FROM receipt `
	switch {
	case f.Development != "" && f.Payer != "":
		first, behind := recordsOf(f.Payer)
		return columns + `INDEXED BY receipt_of_development
			WHERE development = $1 AND number < $2 AND subject >= $3 AND subject < $4
			ORDER BY number DESC LIMIT $5`, []any{f.Development, before, first, behind}
	case f.Development != "":
		return columns + `INDEXED BY receipt_of_development
			WHERE development = $1 AND number < $2
			ORDER BY number DESC LIMIT $3`, []any{f.Development, before}
	case f.Payer != "":
		first, behind := recordsOf(f.Payer)
		return columns + `INDEXED BY receipt_of_subject
			WHERE subject >= $1 AND subject < $2 AND number < $3
			ORDER BY number DESC LIMIT $4`, []any{first, behind, before}
	}
	return columns + `WHERE number < $1 ORDER BY number DESC LIMIT $2`, []any{before}
}

// recordsOf bounds the uris of an account's records.
func recordsOf(account syntax.DID) (first, behind string) {
	return "at://" + account.String() + "/", "at://" + account.String() + "0" // 0 follows /
}

func scanListed(rows *sql.Rows) (l listed, err error) {
	var pledge sql.NullString
	var reversed sql.NullBool
	if err := rows.Scan(&l.number, &l.subject, &pledge, &reversed); err != nil {
		return l, err
	}
	l.status = lifecycle.ReceiptStatus(pledge.String)
	if reversed.Valid {
		l.status, _ = ledger.Donation{Reversed: reversed.Bool}.Status()
	}
	return l, nil
}
