package halt

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Reason is why something stands still.
type Reason string

// The reasons.
const (
	// UnknownMoney: the processor moved money that no rule places, or did something twice.
	UnknownMoney Reason = "unknown-money"
	// Conflict: the processor tells something else than it told before.
	Conflict Reason = "conflict"
	// Unreconciled: the processor's movements and the ledger do not agree.
	Unreconciled Reason = "unreconciled"
	// Behind: the ledger is older than what the escrow has published, or nobody has
	// looked yet.
	Behind Reason = "behind"
	// PayoutSchedule: the processor would carry away money that is held.
	PayoutSchedule Reason = "payout-schedule"
	// Strangers: another business shares the account.
	Strangers Reason = "strangers"
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{UnknownMoney, Conflict, Unreconciled, Behind, PayoutSchedule, Strangers}
}

// Money tells whether refunds and transfers stand still, and not only checkouts.
func (r Reason) Money() bool { return r != PayoutSchedule && r != Strangers }

// Lifts tells whether a person may let it go on. The others end when what they wait for has
// come: a person's word would not make the ledger newer, nor keep held money where it is.
func (r Reason) Lifts() bool { return r != Behind && r != PayoutSchedule }

// sentences say it to people who wanted to pay.
var sentences = map[Reason]string{
	UnknownMoney:   "a payment could not be matched, and is being looked into",
	Conflict:       "a payment could not be matched, and is being looked into",
	Unreconciled:   "the accounts do not agree with those of the payment processor, and are being looked into",
	Behind:         "the ledger is being compared with what was published",
	PayoutSchedule: "the account at the payment processor is not set up to hold money",
	Strangers:      "the account at the payment processor is shared with somebody else",
}

// remedies say it to the operator: what stands still, and what lets it go on.
var remedies = map[Reason]string{
	UnknownMoney:   "no money moves: look at what the detail names, then run escrow resume",
	Conflict:       "no money moves: look at what the detail names, then run escrow resume",
	Unreconciled:   "no money moves until escrow reconcile finds nothing: look at what it prints, then run escrow resume",
	Behind:         "no money moves until the ledger has caught up: the lines of component=restored say what it waits for",
	PayoutSchedule: "nothing can be paid in: set the payouts of the platform's account to manual at the processor",
	Strangers:      "nothing can be paid in: another business uses the account; see to it that it stops, then run escrow resume",
}

// Remedy says to the operator what to do.
func (r Reason) Remedy() string { return remedies[r] }

// Halt is something that stands still.
type Halt struct {
	ID int64
	Reason
	Detail string
	Since  time.Time
}

// Error says that something stands still.
type Error struct{ Halts []Halt }

// Error is a sentence for people.
func (e *Error) Error() string {
	return "this escrow takes and sends no money now: " + sentences[e.Halts[0].Reason]
}

// ReasonOf tells what an error stops: one that says that money is not where it should
// be. ok is false for any other.
func ReasonOf(err error) (reason Reason, ok bool) {
	var conflict *ledger.ConflictError
	var bound *ledger.BoundError
	var rejection *payments.Rejection
	switch {
	case errors.As(err, &conflict), errors.Is(err, payments.ErrMismatch), errors.Is(err, intent.ErrOther), errors.Is(err, intent.ErrRefusedYet):
		return Conflict, true
	case errors.Is(err, ledger.ErrUnknown), errors.Is(err, payments.ErrDoubled), errors.As(err, &bound), errors.As(err, &rejection):
		return UnknownMoney, true
	}
	return "", false
}

// Stop halts for a reason. The same detail again is nothing, and so is one that a person
// has lifted.
func Stop(ctx context.Context, tx *store.Tx, reason Reason, detail string) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO halt (reason, detail, since)
		SELECT $1, $2, $3
		WHERE NOT EXISTS (SELECT 1 FROM halt WHERE reason = $1 AND detail = $2 AND (lifted_at IS NULL OR accepted = 1))`,
		reason, detail, tx.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("halt: stop for %s (%s): %w", reason, detail, err)
	}
	return nil
}

// Standing lists what stands still, the oldest first.
func Standing(ctx context.Context, q sqlite.Querier) ([]Halt, error) {
	list, err := sqlite.Collect(ctx, q, `SELECT id, reason, detail, since FROM halt WHERE lifted_at IS NULL ORDER BY id`,
		func(rows *sql.Rows) (h Halt, err error) {
			var since int64
			err = rows.Scan(&h.ID, &h.Reason, &h.Detail, &since)
			h.Since = time.UnixMilli(since).UTC()
			return h, err
		})
	if err != nil {
		return nil, fmt.Errorf("halt: list what stands still: %w", err)
	}
	return list, nil
}

// Checkouts returns an *Error while nobody may begin to pay.
func Checkouts(ctx context.Context, q sqlite.Querier) error {
	standing, err := Standing(ctx, q)
	if err != nil || len(standing) == 0 {
		return err
	}
	return &Error{standing}
}

// Money returns an *Error while no money may go out.
func Money(ctx context.Context, q sqlite.Querier) error {
	standing, err := Standing(ctx, q)
	if err != nil {
		return err
	}
	var money []Halt
	for _, h := range standing {
		if h.Money() {
			money = append(money, h)
		}
	}
	if len(money) == 0 {
		return nil
	}
	return &Error{money}
}

// Lift ends what stands still and a person may let go on, because one has looked, and
// returns it. What they looked at stops nothing again.
func Lift(ctx context.Context, tx *store.Tx, because string) ([]Halt, error) {
	standing, err := Standing(ctx, tx)
	if err != nil {
		return nil, err
	}
	var lifted []Halt
	for _, h := range standing {
		if !h.Lifts() {
			continue
		}
		_, err := tx.ExecContext(ctx, `UPDATE halt SET lifted_at = $1, lifted_because = $2, accepted = 1 WHERE id = $3`, tx.Now().UnixMilli(), because, h.ID)
		if err != nil {
			return nil, fmt.Errorf("halt: lift %s (%s): %w", h.Reason, h.Detail, err)
		}
		lifted = append(lifted, h)
	}
	return lifted, nil
}

// Clear ends what stands still for a reason that is gone by itself.
func Clear(ctx context.Context, tx *store.Tx, reason Reason, because string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE halt SET lifted_at = $1, lifted_because = $2 WHERE reason = $3 AND lifted_at IS NULL`,
		tx.Now().UnixMilli(), because, reason)
	if err != nil {
		return fmt.Errorf("halt: clear %s: %w", reason, err)
	}
	return nil
}

// maxDetail bounds a detail that is made of an error.
const maxDetail = 300

// For stops for what an error tells, if it is one that [ReasonOf] knows.
func For(ctx context.Context, s *store.Store, cause error) (stopped bool, err error) {
	reason, ok := ReasonOf(cause)
	if !ok {
		return false, nil
	}
	detail := strings.ToValidUTF8(cause.Error(), "")
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "")
	}
	return true, s.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return Stop(ctx, tx, reason, detail) })
}
