package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// The rows derived of one proposal, without its uri. Most derivations find most
// of them as they are, so they are compared before anything is written: to read
// a few rows by their key costs less than to write one.

// stageRow is a row of stage_interval; its key is from.
type stageRow struct {
	from, to int64
	stage    lifecycle.Stage
	attempt  sql.NullString
	event    sql.NullString
	at       sql.NullInt64
}

func newStageRow(iv lifecycle.Interval) stageRow {
	row := stageRow{from: millis(iv.From), to: millis(iv.To), stage: iv.Stage}
	if iv.Attempt != "" {
		row.attempt = sql.NullString{String: iv.Attempt.String(), Valid: true}
	}
	if iv.Next != nil {
		row.event = sql.NullString{String: string(iv.Next.Event), Valid: true}
		row.at = sql.NullInt64{Int64: millis(iv.Next.At), Valid: true}
	}
	return row
}

// fundingRow is a row of funding; its key is currency and from.
type fundingRow struct {
	currency                    money.Currency
	from, to                    int64
	estimated, estimators       int64
	estimatedProven, provenOnes int64
	pending                     int64
	money                       moneyColumns
	goal                        sql.NullInt64
}

// moneyColumns are the columns of funding that receipts decide.
type moneyColumns struct {
	pledged, pledgers, donated, donors                    int64
	raised                                                sql.NullInt64
	releasing, released, refunding, refunded, chargedBack int64
}

func newFundingRow(from, until time.Time, f lifecycle.Funding) fundingRow {
	row := fundingRow{
		currency: f.Currency, from: millis(from), to: millis(until),
		estimated: f.Estimated, estimators: f.Estimators,
		estimatedProven: f.EstimatedProven, provenOnes: f.EstimatorsProven,
		pending: f.Pending,
		money: moneyColumns{
			pledged: f.Pledged, pledgers: f.Pledgers, donated: f.Donated, donors: f.Donors,
			releasing: f.Releasing, released: f.Released, refunding: f.Refunding, refunded: f.Refunded, chargedBack: f.ChargedBack,
		},
	}
	if f.Raised != nil {
		row.money.raised = sql.NullInt64{Int64: *f.Raised, Valid: true}
	}
	if f.Goal != nil {
		row.goal = sql.NullInt64{Int64: *f.Goal, Valid: true}
	}
	return row
}

// rankingRow is a row of ranking; its key is from.
type rankingRow struct{ from, to, hot int64 }

func (tx *tx) replaceStages(ctx context.Context, proposal syntax.ATURI, want []stageRow) error {
	have, err := collect(ctx, tx, `
		SELECT from_at, to_at, stage, attempt_uri, next_event, next_at FROM stage_interval WHERE proposal_uri = $1`,
		func(rows *sql.Rows) (r stageRow, err error) {
			err = rows.Scan(&r.from, &r.to, &r.stage, &r.attempt, &r.event, &r.at)
			return r, err
		}, proposal)
	if err != nil {
		return err
	}
	gone, written := difference(have, want, func(r stageRow) int64 { return r.from })
	for _, r := range gone {
		if err := tx.exec(ctx, `DELETE FROM stage_interval WHERE proposal_uri = $1 AND from_at = $2`, proposal, r.from); err != nil {
			return err
		}
	}
	for _, r := range written {
		err := tx.exec(ctx, `
			INSERT INTO stage_interval (proposal_uri, from_at, to_at, stage, attempt_uri, next_event, next_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (proposal_uri, from_at) DO UPDATE
			SET to_at = excluded.to_at, stage = excluded.stage, attempt_uri = excluded.attempt_uri,
			    next_event = excluded.next_event, next_at = excluded.next_at`,
			proposal, r.from, r.to, r.stage, r.attempt, r.event, r.at)
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *tx) replaceFunding(ctx context.Context, proposal syntax.ATURI, want []fundingRow) error {
	have, err := collect(ctx, tx, `
		SELECT currency, from_at, to_at, estimated, estimators, estimated_proven, estimators_proven, pending,
		       pledged, pledgers, donated, donors, raised, releasing, released, refunding, refunded, charged_back, goal
		FROM funding WHERE proposal_uri = $1`,
		func(rows *sql.Rows) (r fundingRow, err error) {
			err = rows.Scan(&r.currency, &r.from, &r.to, &r.estimated, &r.estimators,
				&r.estimatedProven, &r.provenOnes, &r.pending,
				&r.money.pledged, &r.money.pledgers, &r.money.donated, &r.money.donors, &r.money.raised,
				&r.money.releasing, &r.money.released, &r.money.refunding, &r.money.refunded, &r.money.chargedBack, &r.goal)
			return r, err
		}, proposal)
	if err != nil {
		return err
	}
	type key struct {
		currency money.Currency
		from     int64
	}
	gone, written := difference(have, want, func(r fundingRow) key { return key{r.currency, r.from} })
	for _, r := range gone {
		err := tx.exec(ctx, `DELETE FROM funding WHERE proposal_uri = $1 AND currency = $2 AND from_at = $3`, proposal, r.currency, r.from)
		if err != nil {
			return err
		}
	}
	for _, r := range written {
		err := tx.exec(ctx, `
			INSERT INTO funding (proposal_uri, currency, from_at, to_at,
			                     estimated, estimators, estimated_proven, estimators_proven, pending,
			                     pledged, pledgers, donated, donors, raised,
			                     releasing, released, refunding, refunded, charged_back, goal)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
			ON CONFLICT (proposal_uri, currency, from_at) DO UPDATE
			SET to_at = excluded.to_at, estimated = excluded.estimated, estimators = excluded.estimators,
			    estimated_proven = excluded.estimated_proven, estimators_proven = excluded.estimators_proven,
			    pending = excluded.pending, pledged = excluded.pledged, pledgers = excluded.pledgers,
			    donated = excluded.donated, donors = excluded.donors, raised = excluded.raised,
			    releasing = excluded.releasing, released = excluded.released, refunding = excluded.refunding,
			    refunded = excluded.refunded, charged_back = excluded.charged_back, goal = excluded.goal`,
			proposal, r.currency, r.from, r.to, r.estimated, r.estimators, r.estimatedProven, r.provenOnes, r.pending,
			r.money.pledged, r.money.pledgers, r.money.donated, r.money.donors, r.money.raised,
			r.money.releasing, r.money.released, r.money.refunding, r.money.refunded, r.money.chargedBack, r.goal)
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *tx) replaceRanking(ctx context.Context, proposal syntax.ATURI, want []rankingRow) error {
	have, err := collect(ctx, tx, `SELECT from_at, to_at, hot FROM ranking WHERE proposal_uri = $1`,
		func(rows *sql.Rows) (r rankingRow, err error) {
			err = rows.Scan(&r.from, &r.to, &r.hot)
			return r, err
		}, proposal)
	if err != nil {
		return err
	}
	gone, written := difference(have, want, func(r rankingRow) int64 { return r.from })
	for _, r := range gone {
		if err := tx.exec(ctx, `DELETE FROM ranking WHERE proposal_uri = $1 AND from_at = $2`, proposal, r.from); err != nil {
			return err
		}
	}
	for _, r := range written {
		err := tx.exec(ctx, `
			INSERT INTO ranking (proposal_uri, from_at, to_at, hot) VALUES ($1, $2, $3, $4)
			ON CONFLICT (proposal_uri, from_at) DO UPDATE SET to_at = excluded.to_at, hot = excluded.hot`,
			proposal, r.from, r.to, r.hot)
		if err != nil {
			return err
		}
	}
	return nil
}

// difference returns the rows whose keys are wanted no more, and those to write:
// new ones, and ones that say something else under the same key.
func difference[R, K comparable](have, want []R, key func(R) K) (gone, written []R) {
	if slices.Equal(have, want) {
		return nil, nil
	}
	// Strangers can make the lists long, by dating records ahead.
	stored := make(map[K]R, len(have))
	for _, r := range have {
		stored[key(r)] = r
	}
	for _, r := range want {
		if old, ok := stored[key(r)]; !ok || old != r {
			written = append(written, r)
		}
		delete(stored, key(r))
	}
	for _, r := range stored {
		gone = append(gone, r)
	}
	return gone, written
}
