package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// derivedRows are the rows derived of one proposal, without its uri. Most
// derivations find most of them as they are, so they are compared before anything
// is written: to read a few rows by their key costs less than to write one.
type derivedRows struct {
	stages  []stageRow
	funding []fundingRow
	ranking []rankingRow
	claimed []claimedRow
}

// rowsOf are those of proposals.
type rowsOf map[syntax.ATURI]derivedRows

func (r rowsOf) add(uri syntax.ATURI, change func(*derivedRows)) {
	rows := r[uri]
	change(&rows)
	r[uri] = rows
}

// derivedRows reads those of a list of proposals, each in the order of their keys.
func (tx *tx) derivedRows(ctx context.Context, list proposalList) (rowsOf, error) {
	out, err := tx.fundingRows(ctx, list)
	if err != nil {
		return nil, err
	}
	stages, err := collect(ctx, tx, list.many(stagesOf), scanStage, list.arg)
	if err != nil {
		return nil, fmt.Errorf("read the stages: %w", err)
	}
	for _, s := range stages {
		out.add(s.proposal, func(r *derivedRows) { r.stages = append(r.stages, s.fact) })
	}
	claimed, err := collect(ctx, tx, list.many(claimedOf), scanClaimed, list.arg)
	if err != nil {
		return nil, fmt.Errorf("read the projects by claim: %w", err)
	}
	for _, c := range claimed {
		out.add(c.proposal, func(r *derivedRows) { r.claimed = append(r.claimed, c.fact) })
	}
	return out, nil
}

// fundingRows reads of a list of proposals only the rows of funding and ranking.
func (tx *tx) fundingRows(ctx context.Context, list proposalList) (rowsOf, error) {
	out := rowsOf{}
	funding, err := collect(ctx, tx, list.many(fundingOf), scanFunding, list.arg)
	if err != nil {
		return nil, fmt.Errorf("read the funding: %w", err)
	}
	for _, f := range funding {
		out.add(f.proposal, func(r *derivedRows) { r.funding = append(r.funding, f.fact) })
	}
	ranking, err := collect(ctx, tx, list.many(rankingOf), scanRanking, list.arg)
	if err != nil {
		return nil, fmt.Errorf("read the ranking: %w", err)
	}
	for _, k := range ranking {
		out.add(k.proposal, func(r *derivedRows) { r.ranking = append(r.ranking, k.fact) })
	}
	return out, nil
}

// addFunding adds what lifecycle evaluated of a proposal, from the beginning on: what
// was before the moment of evaluation is not asked for.
func (d *derivedRows) addFunding(created time.Time, intervals []lifecycle.FundingInterval) {
	from := lifecycle.Beginning
	for _, iv := range intervals {
		for _, one := range iv.Funding {
			d.funding = append(d.funding, newFundingRow(from, iv.Until, one))
		}
		d.ranking = append(d.ranking, rankingRow{millis(from), millis(iv.Until), lifecycle.Hot(created, iv.Funding)})
		from = iv.Until
	}
}

// replaceDerived writes where what is wanted differs from what is there.
func (tx *tx) replaceDerived(ctx context.Context, proposal syntax.ATURI, have, want derivedRows) error {
	if err := tx.replaceStages(ctx, proposal, have.stages, want.stages); err != nil {
		return fmt.Errorf("replace the stages: %w", err)
	}
	if err := tx.replaceFunding(ctx, proposal, have.funding, want.funding); err != nil {
		return fmt.Errorf("replace the funding: %w", err)
	}
	if err := tx.replaceRanking(ctx, proposal, have.ranking, want.ranking); err != nil {
		return fmt.Errorf("replace the ranking: %w", err)
	}
	if err := tx.replaceClaimed(ctx, proposal, have.claimed, want.claimed); err != nil {
		return fmt.Errorf("replace the projects by claim: %w", err)
	}
	return nil
}

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

// lifecycle is what newFundingRow was made of.
func (r fundingRow) lifecycle() lifecycle.Funding {
	f := lifecycle.Funding{
		Currency: r.currency, Estimated: r.estimated, Estimators: r.estimators,
		EstimatedProven: r.estimatedProven, EstimatorsProven: r.provenOnes, Pending: r.pending,
		Pledged: r.money.pledged, Pledgers: r.money.pledgers, Donated: r.money.donated, Donors: r.money.donors,
		Releasing: r.money.releasing, Released: r.money.released, Refunding: r.money.refunding, Refunded: r.money.refunded,
		ChargedBack: r.money.chargedBack,
	}
	if r.money.raised.Valid {
		f.Raised = &r.money.raised.Int64
	}
	if r.goal.Valid {
		f.Goal = &r.goal.Int64
	}
	return f
}

// rankingRow is a row of ranking; its key is from.
type rankingRow struct{ from, to, hot int64 }

const stagesOf = `
	SELECT proposal_uri, from_at, to_at, stage, attempt_uri, next_event, next_at FROM stage_interval
	WHERE proposal_uri = $1`

func scanStage(rows *sql.Rows) (r about[stageRow], err error) {
	err = rows.Scan(&r.proposal, &r.fact.from, &r.fact.to, &r.fact.stage, &r.fact.attempt, &r.fact.event, &r.fact.at)
	return r, err
}

func (tx *tx) replaceStages(ctx context.Context, proposal syntax.ATURI, have, want []stageRow) error {
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

const fundingOf = `
	SELECT proposal_uri, currency, from_at, to_at, estimated, estimators, estimated_proven, estimators_proven, pending,
	       pledged, pledgers, donated, donors, raised, releasing, released, refunding, refunded, charged_back, goal
	FROM funding WHERE proposal_uri = $1`

func scanFunding(rows *sql.Rows) (about[fundingRow], error) {
	var r fundingRow
	var proposal syntax.ATURI
	err := rows.Scan(&proposal, &r.currency, &r.from, &r.to, &r.estimated, &r.estimators,
		&r.estimatedProven, &r.provenOnes, &r.pending,
		&r.money.pledged, &r.money.pledgers, &r.money.donated, &r.money.donors, &r.money.raised,
		&r.money.releasing, &r.money.released, &r.money.refunding, &r.money.refunded, &r.money.chargedBack, &r.goal)
	return about[fundingRow]{r, proposal}, err
}

func (tx *tx) replaceFunding(ctx context.Context, proposal syntax.ATURI, have, want []fundingRow) error {
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

const rankingOf = `SELECT proposal_uri, from_at, to_at, hot FROM ranking WHERE proposal_uri = $1`

func scanRanking(rows *sql.Rows) (r about[rankingRow], err error) {
	err = rows.Scan(&r.proposal, &r.fact.from, &r.fact.to, &r.fact.hot)
	return r, err
}

func (tx *tx) replaceRanking(ctx context.Context, proposal syntax.ATURI, have, want []rankingRow) error {
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

// claimedRow is a row of claimed; its key is from.
type claimedRow struct {
	from, to int64
	project  syntax.ATURI
}

const claimedOf = `SELECT proposal_uri, from_at, to_at, project FROM claimed WHERE proposal_uri = $1`

func scanClaimed(rows *sql.Rows) (r about[claimedRow], err error) {
	err = rows.Scan(&r.proposal, &r.fact.from, &r.fact.to, &r.fact.project)
	return r, err
}

// replaceClaimed also queues the words of the proposal: it is found by the name
// of its project.
func (tx *tx) replaceClaimed(ctx context.Context, proposal syntax.ATURI, have, want []claimedRow) error {
	gone, written := difference(have, want, func(r claimedRow) int64 { return r.from })
	if len(gone)+len(written) == 0 {
		return nil
	}
	for _, r := range gone {
		if err := tx.exec(ctx, `DELETE FROM claimed WHERE proposal_uri = $1 AND from_at = $2`, proposal, r.from); err != nil {
			return err
		}
	}
	for _, r := range written {
		err := tx.exec(ctx, `
			INSERT INTO claimed (proposal_uri, from_at, to_at, project) VALUES ($1, $2, $3, $4)
			ON CONFLICT (proposal_uri, from_at) DO UPDATE SET to_at = excluded.to_at, project = excluded.project`,
			proposal, r.from, r.to, r.project)
		if err != nil {
			return err
		}
	}
	return tx.exec(ctx, `
		INSERT INTO dirty_words (record_id) SELECT record_id FROM proposal WHERE uri = $1
		ON CONFLICT DO NOTHING`, proposal)
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
