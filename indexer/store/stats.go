package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Stats are numbers about everything that is indexed and visible.
type Stats struct {
	Proposals  int64
	Projects   int64
	Backers    int64 // accounts whose money is held or reached a developer; test money is none
	Developers int64 // accounts that led an attempt
	Stages     map[lifecycle.Stage]int64
	Money      []MoneyStats // sorted by currency, without test money
	TestMoney  []MoneyStats // likewise, where the policy counts it; nobody estimates in it
}

// MoneyStats are sums in one currency, in minor units. Estimates are those for
// visible proposals; money is what receipts that count say, whatever became of
// the proposal.
type MoneyStats struct {
	Currency  money.Currency
	Estimated int64
	Pledged   int64 // held
	Released  int64 // paid out
	Refunded  int64 // returned
	Donated   int64 // arrived
}

// Stats counts. It reads indexes from one end to the other and takes the longer
// the more there is: whoever asks often keeps the answer for a while.
func (r *Reader) Stats(ctx context.Context) (s Stats, err error) {
	if s.Stages, err = r.countStages(ctx); err != nil {
		return s, fmt.Errorf("store: count stages: %w", err)
	}
	for _, n := range s.Stages {
		s.Proposals += n
	}
	err = r.tx.QueryRowContext(ctx, `
		SELECT count(*) FROM project j JOIN repo o ON o.did = j.owner
		WHERE j.created_at <= $1 AND o.status = 'active'`, millis(r.now.Add(lifecycle.FutureTolerance))).Scan(&s.Projects)
	if err != nil {
		return s, fmt.Errorf("store: count projects: %w", err)
	}
	if s.Developers, err = r.countDevelopers(ctx); err != nil {
		return s, fmt.Errorf("store: count developers: %w", err)
	}
	if s.Backers, err = r.countBackers(ctx); err != nil {
		return s, fmt.Errorf("store: count backers: %w", err)
	}
	if s.Money, s.TestMoney, err = r.sumMoney(ctx); err != nil {
		return s, fmt.Errorf("store: sum money: %w", err)
	}
	return s, nil
}

func (r *Reader) countStages(ctx context.Context) (map[lifecycle.Stage]int64, error) {
	out := map[lifecycle.Stage]int64{}
	_, err := collect(ctx, r.tx, `
		SELECT stage, count(*) FROM stage_interval WHERE from_at <= $1 AND to_at > $2 GROUP BY stage`,
		func(rows *sql.Rows) (struct{}, error) {
			var stage lifecycle.Stage
			var n int64
			err := rows.Scan(&stage, &n)
			out[stage] = n
			return struct{}{}, err
		}, millis(r.now), millis(r.now))
	return out, err
}

// countDevelopers finds who leads in the uris of attempts.
func (r *Reader) countDevelopers(ctx context.Context) (n int64, err error) {
	var c clauses
	c.add(`SELECT count(*) FROM (
		SELECT substr(attempt_uri, 6, instr(substr(attempt_uri, 6), '/') - 1)
		FROM stage_interval WHERE attempt_uri IS NOT NULL AND from_at <= ?
		UNION
		SELECT t.author FROM campaign t WHERE `, millis(r.now))
	r.counted(&c)
	c.add(`)`)
	err = r.tx.QueryRowContext(ctx, c.text.String(), c.args...).Scan(&n)
	return n, err
}

func (r *Reader) countBackers(ctx context.Context) (n int64, err error) {
	var c clauses
	c.add(`SELECT count(DISTINCT t.payer) FROM receipt t WHERE t.status IN ('held', 'releasing', 'released', 'paid') AND t.test = 0 AND `)
	r.counted(&c)
	err = r.tx.QueryRowContext(ctx, c.text.String(), c.args...).Scan(&n)
	return n, err
}

// sumMoney adds up what receipts say and what is estimated, each up to the most
// that the lexicon can say. Strangers cannot make a sum overflow: only trusted
// escrows write receipts that count, and estimates count up to their caps.
func (r *Reader) sumMoney(ctx context.Context) (real, test []MoneyStats, err error) {
	var c clauses
	c.add(`SELECT currency, test, status, sum(amount) FROM (
		SELECT m.currency AS currency, 0 AS test, 'estimated' AS status, m.estimated AS amount FROM funding m
		JOIN stage_interval s ON s.proposal_uri = m.proposal_uri AND s.from_at <= ? AND s.to_at > ?
		WHERE m.from_at <= ? AND m.to_at > ? AND m.estimated > 0
		UNION ALL
		SELECT t.currency, t.test, t.status, t.amount FROM receipt t WHERE t.status IN ('held', 'released', 'refunded', 'paid') AND `,
		millis(r.now), millis(r.now), millis(r.now), millis(r.now))
	r.counted(&c)
	c.add(`) GROUP BY currency, test, status ORDER BY currency`)
	_, err = collect(ctx, r.tx, c.text.String(), func(rows *sql.Rows) (struct{}, error) {
		var currency money.Currency
		var isTest bool
		var status string
		var sum int64
		if err := rows.Scan(&currency, &isTest, &status, &sum); err != nil {
			return struct{}{}, err
		}
		out := &real
		if isTest {
			out = &test
		}
		if len(*out) == 0 || (*out)[len(*out)-1].Currency != currency {
			*out = append(*out, MoneyStats{Currency: currency})
		}
		total := &(*out)[len(*out)-1]
		into := map[string]*int64{
			"estimated": &total.Estimated, "held": &total.Pledged, "released": &total.Released,
			"refunded": &total.Refunded, "paid": &total.Donated,
		}[status]
		*into = min(sum, lifecycle.MaxTotal)
		return struct{}{}, nil
	}, c.args...)
	return real, test, err
}
