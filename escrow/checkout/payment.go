package checkout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Kind is what is paid for.
type Kind string

// The kinds.
const (
	KindPledge   Kind = "pledge"
	KindDonation Kind = "donation"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{KindPledge, KindDonation} }

// State is how far a payment came.
type State string

// The states of a payment.
const (
	// StateOpen can be paid, unless it is ending.
	StateOpen State = "open"
	// StateProcessing: the payer did what there is to do, and the money is not there yet.
	StateProcessing State = "processing"
	// StatePaid: the money arrived. What became of a pledge's says the ledger.
	StatePaid State = "paid"
	// StateReversed: a donation went back.
	StateReversed State = "reversed"
	// StateEnded: nobody can pay any more.
	StateEnded State = "ended"
)

// States lists all states.
func States() []State {
	return []State{StateOpen, StateProcessing, StatePaid, StateReversed, StateEnded}
}

// Ending is why a payment cannot be paid any more.
type Ending string

// The endings.
const (
	EndingNone      Ending = ""
	EndingExpired   Ending = "expired"   // its time was over
	EndingEdited    Ending = "edited"    // the record has another version
	EndingWithdrawn Ending = "withdrawn" // the record was deleted
	EndingClosed    Ending = "closed"    // nothing is paid for the attempt now
	EndingRefused   Ending = "refused"   // the processor did not open a session
	EndingUnfit     Ending = "unfit"     // what came to a developer's account is not what was offered
)

// Endings lists all endings but none.
func Endings() []Ending {
	return []Ending{EndingExpired, EndingEdited, EndingWithdrawn, EndingClosed, EndingRefused, EndingUnfit}
}

// Payment is an offer to pay for one version of a record, and what became of it.
type Payment struct {
	// ID is that of the pledge's hold, and the intent's.
	ID ledger.HoldID
	Kind
	Subject     syntax.ATURI
	CID         syntax.CID
	Payer       syntax.DID
	Development syntax.ATURI
	Attempt     ledger.AttemptKey
	Value       money.Money
	// Account receives the money.
	Account payments.AccountID
	// Donee is who has that account; empty for the platform's own.
	Donee syntax.DID
	// Title is what is paid for, as the processor's page says it.
	Title string
	// Terms are what the payer is asked to agree to.
	Terms comatproto.RepoStrongRef
	// Cost is what the payment may cost the float.
	Cost int64
	// Acknowledgement is signed: the payer's proof of the offer.
	Acknowledgement string
	ReturnURI       string

	State
	Ending
	// Confirmed: the payer agreed, and a session was ordered that ends at ExpiresAt.
	Confirmed bool
	Session   payments.SessionID // empty while nobody knows

	CreatedAt, UpdatedAt, ExpiresAt time.Time
	Tries                           int
}

// Live tells whether money may still arrive as expected.
func (p Payment) Live() bool { return p.State == StateOpen || p.State == StateProcessing }

// Payable tells whether it can be paid now.
func (p Payment) Payable(now time.Time) bool {
	return p.State == StateOpen && p.Ending == EndingNone && now.Before(p.ExpiresAt)
}

// mark ties the payment's session to what it is for.
func (p Payment) mark(escrow syntax.DID) payments.Mark {
	return payments.Mark{Escrow: escrow, Subject: p.Subject, CID: p.CID, Attempt: p.Development, Intent: payments.IntentID(p.ID)}
}

const columns = `id, kind, subject, cid, payer, development, attempt, currency, amount, account, donee, title, terms, terms_cid, cost,
	acknowledgement, return_uri, state, coalesce(ending, ''), confirmed, coalesce(session, ''), created_at, updated_at, expires_at, tries`

func scan(row interface{ Scan(...any) error }) (p Payment, err error) {
	var createdAt, updatedAt, expiresAt int64
	err = row.Scan(&p.ID, &p.Kind, &p.Subject, &p.CID, &p.Payer, &p.Development, &p.Attempt, &p.Value.Currency, &p.Value.Amount,
		&p.Account, &p.Donee, &p.Title, &p.Terms.Uri, &p.Terms.Cid, &p.Cost, &p.Acknowledgement, &p.ReturnURI,
		&p.State, &p.Ending, &p.Confirmed, &p.Session, &createdAt, &updatedAt, &expiresAt, &p.Tries)
	if err != nil {
		return Payment{}, err
	}
	p.CreatedAt, p.UpdatedAt, p.ExpiresAt = moment(createdAt), moment(updatedAt), moment(expiresAt)
	return p, nil
}

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func scanRows(rows *sql.Rows) (Payment, error) { return scan(rows) }

// load reads a payment, or returns ErrNotFound.
func load(ctx context.Context, q sqlite.Querier, id ledger.HoldID) (Payment, error) {
	p, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM payment WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return Payment{}, fmt.Errorf("checkout: read payment %s: %w", id, err)
	}
	return p, nil
}

// standing reads the payment of a record that has not ended; ok is false for none.
func standing(ctx context.Context, q sqlite.Querier, subject syntax.ATURI) (p Payment, ok bool, err error) {
	p, err = scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM payment WHERE subject = $1 AND state <> 'ended'`, subject))
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, false, nil
	}
	if err != nil {
		return Payment{}, false, fmt.Errorf("checkout: look for a payment of %s: %w", subject, err)
	}
	return p, true, nil
}

// due lists the payments under way that are to be looked at, the longest due first.
func due(ctx context.Context, q sqlite.Querier, now time.Time, limit int) ([]Payment, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT `+columns+` FROM payment WHERE (state = 'open' OR state = 'processing') AND due_at <= $1
		ORDER BY due_at LIMIT $2`, scanRows, now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("checkout: list what is due: %w", err)
	}
	return list, nil
}

// underWay lists payments of an attempt that have not come to their end, of those that
// were tried least first.
func underWay(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey, limit int) ([]Payment, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT `+columns+` FROM payment WHERE attempt = $1 AND (state = 'open' OR state = 'processing')
		ORDER BY due_at, id LIMIT $2`, scanRows, attempt, limit)
	if err != nil {
		return nil, fmt.Errorf("checkout: list what is under way of %s: %w", attempt, err)
	}
	return list, nil
}

// countUnderWay counts the pledges among them.
func countUnderWay(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (n int, err error) {
	err = q.QueryRowContext(ctx, `SELECT count(*) FROM payment WHERE attempt = $1 AND kind = 'pledge' AND (state = 'open' OR state = 'processing')`, attempt).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("checkout: count what is under way of %s: %w", attempt, err)
	}
	return n, nil
}

// donatedTo lists the accounts that received donations which did not go back.
func donatedTo(ctx context.Context, q sqlite.Querier) ([]payments.AccountID, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT DISTINCT account FROM payment WHERE kind = 'donation' AND state = 'paid' ORDER BY account`,
		func(rows *sql.Rows) (account payments.AccountID, err error) { return account, rows.Scan(&account) })
	if err != nil {
		return nil, fmt.Errorf("checkout: list who received donations: %w", err)
	}
	return list, nil
}

// add keeps a new payment.
func add(ctx context.Context, tx *store.Tx, p Payment) error {
	now := tx.Now().UnixMilli()
	_, err := tx.ExecContext(ctx, `
		INSERT INTO payment (id, kind, subject, cid, payer, development, attempt, currency, amount, account, donee, title, terms, terms_cid, cost,
			acknowledgement, return_uri, state, created_at, updated_at, expires_at, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
		p.ID, p.Kind, p.Subject, p.CID, p.Payer, p.Development, p.Attempt, p.Value.Currency, p.Value.Amount, p.Account, p.Donee, p.Title,
		p.Terms.Uri, p.Terms.Cid, p.Cost, p.Acknowledgement, p.ReturnURI, StateOpen, now, now, p.ExpiresAt.UnixMilli(), tx.Now().Add(lookEvery).UnixMilli())
	if err != nil {
		return fmt.Errorf("checkout: keep the payment for %s: %w", p.Subject, err)
	}
	return nil
}

// returnTo notes where the payer wants to go now.
func returnTo(ctx context.Context, tx *store.Tx, id ledger.HoldID, uri string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE payment SET return_uri = $1 WHERE id = $2`, uri, id); err != nil {
		return fmt.Errorf("checkout: note where the payer of %s returns to: %w", id, err)
	}
	return nil
}

// confirm notes that the payer agreed, and until when the session is to last.
func confirm(ctx context.Context, tx *store.Tx, id ledger.HoldID, until time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE payment SET confirmed = 1, expires_at = $1, updated_at = max(updated_at, $2) WHERE id = $3 AND confirmed = 0`,
		until.UnixMilli(), tx.Now().UnixMilli(), id)
	if err != nil {
		return fmt.Errorf("checkout: note the agreement to %s: %w", id, err)
	}
	return nil
}

// opened notes the processor's session.
func opened(ctx context.Context, tx *store.Tx, id ledger.HoldID, session payments.SessionID) error {
	if _, err := tx.ExecContext(ctx, `UPDATE payment SET session = $1 WHERE id = $2`, session, id); err != nil {
		return fmt.Errorf("checkout: note the session of %s: %w", id, err)
	}
	return nil
}

// ending notes why a payment is to end, unless that is known.
func ending(ctx context.Context, tx *store.Tx, id ledger.HoldID, why Ending) error {
	_, err := tx.ExecContext(ctx, `UPDATE payment SET ending = $1, updated_at = max(updated_at, $2) WHERE id = $3 AND ending IS NULL`,
		why, tx.Now().UnixMilli(), id)
	if err != nil {
		return fmt.Errorf("checkout: note that %s ends: %w", id, err)
	}
	return nil
}

// move notes the state that a payment came to. One that has ended stays so: the record may
// have another by now.
func move(ctx context.Context, tx *store.Tx, id ledger.HoldID, to State) error {
	_, err := tx.ExecContext(ctx, `UPDATE payment SET state = $1, updated_at = max(updated_at, $2), tries = 0 WHERE id = $3 AND state <> $1 AND state <> 'ended'`,
		to, tx.Now().UnixMilli(), id)
	if err != nil {
		return fmt.Errorf("checkout: note that %s is %s: %w", id, to, err)
	}
	return nil
}

// lookAgain notes when a payment is to be looked at again, and how often that was in vain.
func lookAgain(ctx context.Context, tx *store.Tx, id ledger.HoldID, at time.Time, tries int) error {
	if _, err := tx.ExecContext(ctx, `UPDATE payment SET due_at = $1, tries = $2 WHERE id = $3`, at.UnixMilli(), tries, id); err != nil {
		return fmt.Errorf("checkout: put %s off: %w", id, err)
	}
	return nil
}
