package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// holdKinds are the kinds of accounts that each hold has.
var holdKinds = func() (kinds []AccountKind) {
	for _, kind := range AccountKinds() {
		if chart[kind].scope == perHold {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}()

// LoadHold reads everything about a hold. It returns ErrNotFound for one that was
// never opened.
func LoadHold(ctx context.Context, q sqlite.Querier, id HoldID) (*Hold, error) {
	h := &Hold{ID: id, Balances: make(map[AccountKind]int64, len(holdKinds))}
	var charge, outcome, exitReason, decided, reason sql.NullString
	err := q.QueryRowContext(ctx, `
		SELECT hold.pledge, hold.cid, hold.attempt, hold.currency, hold.amount, hold.state, hold.charge,
			exit.outcome, exit.reason, decision.outcome, decision.reason
		FROM hold
		LEFT JOIN exit ON exit.hold = hold.id
		LEFT JOIN decision ON decision.attempt = hold.attempt
		WHERE hold.id = $1`, id).Scan(
		&h.Pledge, &h.CID, &h.Attempt, &h.Value.Currency, &h.Value.Amount, &h.State, &charge,
		&outcome, &exitReason, &decided, &reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: hold %s", ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read hold %s: %w", id, err)
	}
	h.Charge = charge.String
	if outcome.Valid {
		h.Exit = &Exit{Outcome(outcome.String), Reason(exitReason.String)}
	}
	if decided.Valid {
		h.Decision = &Exit{Outcome(decided.String), Reason(reason.String)}
	}
	if h.Charge == "" {
		return h, nil // nothing can have happened to it
	}
	if err := h.load(ctx, q); err != nil {
		return nil, fmt.Errorf("ledger: read hold %s: %w", id, err)
	}
	return h, nil
}

// load reads what happened after the charge.
func (h *Hold) load(ctx context.Context, q sqlite.Querier) (err error) {
	if err := h.loadBalances(ctx, q); err != nil {
		return err
	}
	h.Chargebacks, err = sqlite.Collect(ctx, q, `
		SELECT id, amount, returned, loss, state FROM chargeback WHERE hold = $1 ORDER BY rowid`,
		func(rows *sql.Rows) (c Chargeback, err error) {
			err = rows.Scan(&c.ID, &c.Amount, &c.Returned, &c.Loss, &c.State)
			return c, err
		}, h.ID)
	if err != nil || h.Exit == nil {
		return err
	}
	h.Refunds, err = sqlite.Collect(ctx, q, `
		SELECT id, amount, state FROM refund WHERE hold = $1 ORDER BY rowid`,
		func(rows *sql.Rows) (r Refund, err error) {
			err = rows.Scan(&r.ID, &r.Amount, &r.State)
			return r, err
		}, h.ID)
	if err != nil {
		return err
	}
	h.Payouts, err = sqlite.Collect(ctx, q, `
		SELECT payee, amount, withheld, state, coalesce(transfer, ''), recoverable, recovered FROM payout WHERE hold = $1 ORDER BY payee`,
		func(rows *sql.Rows) (p Payout, err error) {
			err = rows.Scan(&p.Payee, &p.Amount, &p.Withheld, &p.State, &p.Transfer, &p.Recoverable, &p.Recovered)
			return p, err
		}, h.ID)
	return err
}

func (h *Hold) loadBalances(ctx context.Context, q sqlite.Querier) error {
	paths := make([]any, len(holdKinds))
	for i, kind := range holdKinds {
		paths[i] = OfHold(kind, h.Value.Currency, h.ID).Path()
	}
	rows, err := q.QueryContext(ctx, `SELECT kind, abs(balance) FROM account WHERE path IN ($1, $2, $3, $4, $5, $6)`, paths...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind AccountKind
		var balance int64
		if err := rows.Scan(&kind, &balance); err != nil {
			return err
		}
		h.Balances[kind] = balance
	}
	return rows.Err()
}

// held are the holds of an attempt that a decision is about, in receipt order. It
// returns ErrPending while one may still be charged.
func held(ctx context.Context, q sqlite.Querier, attempt AttemptKey) ([]*Hold, error) {
	type row struct {
		id    HoldID
		state HoldState
	}
	rows, err := sqlite.Collect(ctx, q, `
		SELECT hold.id, hold.state FROM hold
		LEFT JOIN exit ON exit.hold = hold.id
		WHERE hold.attempt = $1 AND hold.state <> 'voided' AND exit.hold IS NULL ORDER BY hold.charged`,
		func(rows *sql.Rows) (r row, err error) {
			err = rows.Scan(&r.id, &r.state)
			return r, err
		}, attempt)
	if err != nil {
		return nil, fmt.Errorf("ledger: read what attempt %s holds: %w", attempt, err)
	}
	var out []*Hold
	for _, r := range rows {
		if r.state == HoldPending {
			return nil, fmt.Errorf("%w: %s", ErrPending, r.id)
		}
		h, err := LoadHold(ctx, q, r.id)
		if err != nil {
			return nil, err
		}
		if h.Balances[KindHeld] > 0 { // and not contested
			out = append(out, h)
		}
	}
	return out, nil
}

// loadDecision reads what was decided about an attempt; nil when nothing was.
func loadDecision(ctx context.Context, q sqlite.Querier, attempt AttemptKey) (*Exit, error) {
	var d Exit
	err := q.QueryRowContext(ctx, `SELECT outcome, reason FROM decision WHERE attempt = $1`, attempt).Scan(&d.Outcome, &d.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read the decision about %s: %w", attempt, err)
	}
	return &d, nil
}

// speaks is the hold that the receipt of a pledge is about: the one that is posted,
// else the one that was charged last.
func speaks(ctx context.Context, q sqlite.Querier, pledge syntax.ATURI) (hold HoldID, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT id FROM hold WHERE pledge = $1 AND charge IS NOT NULL
		ORDER BY state = 'posted' DESC, charged DESC LIMIT 1`, pledge).Scan(&hold)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("%w: a charge for %s", ErrNotFound, pledge)
	}
	if err != nil {
		return "", fmt.Errorf("ledger: look for the charge of %s: %w", pledge, err)
	}
	return hold, nil
}
