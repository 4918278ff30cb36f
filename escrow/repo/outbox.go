package repo

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
)

// outboxRow is how far a record got.
type outboxRow struct {
	collection   syntax.NSID
	subject      string // the uri of a receipt's pledge or a campaign's development; of another record its key
	wanted, done int64
	// cid is what the repository held when it was last looked at; empty for
	// nothing.
	cid   syntax.CID
	tries int
}

// rkey of the record.
func (row outboxRow) rkey() syntax.RecordKey {
	if row.collection == lexicons.CollectionReceipt || row.collection == lexicons.CollectionCampaign {
		return lexicons.DerivedKey(syntax.ATURI(row.subject))
	}
	return syntax.RecordKey(row.subject)
}

const outboxColumns = `collection, subject, wanted, done, coalesce(cid, ''), tries`

func scanOutbox(rows *sql.Rows) (row outboxRow, err error) {
	err = rows.Scan(&row.collection, &row.subject, &row.wanted, &row.done, &row.cid, &row.tries)
	return row, err
}

// want notes that a record which no pledge is behind has something new to say. Such
// records go before all receipts.
func want(ctx context.Context, tx *store.Tx, collection syntax.NSID, subject string) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO outbox (collection, subject, place) VALUES ($1, $2, 0)
		ON CONFLICT (collection, subject) DO UPDATE SET wanted = wanted + 1, due_at = 0`, collection, subject)
	if err != nil {
		return fmt.Errorf("repo: note that %s %s is due: %w", collection, subject, err)
	}
	return nil
}

// due lists records that wait, in the order in which they began to, and no more than
// limit. The service names the current terms, so it waits for them. A statement waits
// for the statement before it, and for each receipt that it counts; but not for one that
// the PDS refuses, or it would never be published.
func due(ctx context.Context, q sqlite.Querier, now time.Time, limit int) ([]outboxRow, error) {
	rows, err := sqlite.Collect(ctx, q, `
		SELECT `+outboxColumns+` FROM outbox
		WHERE done < wanted AND due_at <= $1 AND (collection <> 'fund.stratos.escrow.service' OR NOT EXISTS (
			SELECT 1 FROM outbox AS other WHERE other.done < other.wanted AND other.collection = 'fund.stratos.escrow.terms'))
		AND (collection <> 'fund.stratos.escrow.statement' OR NOT EXISTS (
			SELECT 1 FROM outbox AS other WHERE other.done < other.wanted AND (
				other.collection = 'fund.stratos.escrow.receipt' AND other.place <= outbox.place AND other.tries = 0
				OR other.collection = 'fund.stratos.escrow.statement' AND other.subject < outbox.subject)))
		ORDER BY place, collection DESC, subject
		LIMIT $2`, scanOutbox, now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("repo: list what is due: %w", err)
	}
	return rows, nil
}

// outboxRowOf reads a row again.
func outboxRowOf(ctx context.Context, q sqlite.Querier, row outboxRow) (outboxRow, error) {
	err := q.QueryRowContext(ctx, `SELECT wanted, done, coalesce(cid, ''), tries FROM outbox WHERE collection = $1 AND subject = $2`,
		row.collection, row.subject).Scan(&row.wanted, &row.done, &row.cid, &row.tries)
	if err != nil {
		return row, fmt.Errorf("repo: read %s %s in the outbox: %w", row.collection, row.subject, err)
	}
	return row, nil
}

// known lists every record that was ever to be published.
func known(ctx context.Context, q sqlite.Querier) ([]outboxRow, error) {
	rows, err := sqlite.Collect(ctx, q, `SELECT `+outboxColumns+` FROM outbox`, scanOutbox)
	if err != nil {
		return nil, fmt.Errorf("repo: list the outbox: %w", err)
	}
	return rows, nil
}

// published notes that the repository holds what the row wanted when it was read.
// What was wanted since then is still due.
func published(ctx context.Context, tx *store.Tx, row outboxRow, held syntax.CID) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE outbox SET done = $1, cid = $2, tries = 0, due_at = 0 WHERE collection = $3 AND subject = $4`,
		row.wanted, held, row.collection, row.subject)
	if err != nil {
		return fmt.Errorf("repo: note that %s %s is published: %w", row.collection, row.subject, err)
	}
	return nil
}

// failed notes that a try failed, and when the next one is due.
func failed(ctx context.Context, tx *store.Tx, row outboxRow, next time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE outbox SET tries = tries + 1, due_at = $1 WHERE collection = $2 AND subject = $3`,
		next.UnixMilli(), row.collection, row.subject)
	if err != nil {
		return fmt.Errorf("repo: note that %s %s failed: %w", row.collection, row.subject, err)
	}
	return nil
}

// differs notes what the repository holds instead of what was published, so that it
// is published again.
func differs(ctx context.Context, tx *store.Tx, row outboxRow, held syntax.CID) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE outbox SET cid = nullif($1, ''), wanted = wanted + 1, due_at = 0 WHERE collection = $2 AND subject = $3`,
		held, row.collection, row.subject)
	if err != nil {
		return fmt.Errorf("repo: note that %s %s differs: %w", row.collection, row.subject, err)
	}
	return nil
}

// Waiting is what is not published yet.
type Waiting struct {
	Records int64
	Failing int64 // of them, those of which a try failed
}

// Waiting counts what is not published yet.
func (r *Repo) Waiting(ctx context.Context, q sqlite.Querier) (w Waiting, err error) {
	err = q.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(tries > 0), 0) FROM outbox WHERE done < wanted`).Scan(&w.Records, &w.Failing)
	if err != nil {
		return Waiting{}, fmt.Errorf("repo: count what waits: %w", err)
	}
	return w, nil
}

// OldestWaiting is since when the receipt of a pledge waits to be published, of those that
// wait the first; zero if none does.
func OldestWaiting(ctx context.Context, q sqlite.Querier) (oldest time.Time, err error) {
	var at sql.NullInt64
	err = q.QueryRowContext(ctx, `
		SELECT min(change.at) FROM outbox JOIN change ON change.pledge = outbox.subject AND change.entry = outbox.place
		WHERE outbox.done < outbox.wanted AND outbox.collection = 'fund.stratos.escrow.receipt'`).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("repo: read since when receipts wait: %w", err)
	}
	if at.Valid {
		oldest = time.UnixMilli(at.Int64).UTC()
	}
	return oldest, nil
}
