package payee

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Account is what is known of a payee.
type Account struct {
	DID     syntax.DID
	Country string
	// ID is the processor's; empty until the account is opened.
	ID       payments.AccountID
	Currency money.Currency
	// Payable and Chargeable are what the processor said, and Against what stands
	// against a payout.
	Payable, Chargeable bool
	Against             []payments.Obstacle
	Requirements        []Requirement
	CheckedAt           time.Time // zero before the first answer
	CreatedAt           time.Time

	try int
}

// Requirement is something that the processor asks for.
type Requirement struct {
	Name string `json:"name"`
	// DueAt is by when; zero for no date.
	DueAt time.Time `json:"dueAt,omitzero"`
}

// Status is where a payout account stands, in the words of the lexicon.
type Status string

// The statuses.
const (
	StatusOnboarding Status = "onboarding"
	StatusRestricted Status = "restricted"
	StatusReady      Status = "ready"
	StatusRejected   Status = "rejected"
)

// Statuses lists all statuses.
func Statuses() []Status {
	return []Status{StatusOnboarding, StatusRestricted, StatusReady, StatusRejected}
}

// Status is where the account stands.
func (a Account) Status() Status {
	switch {
	case a.Payable:
		return StatusReady
	case slices.Contains(a.Against, payments.ObstacleRejected):
		return StatusRejected
	case a.ID == "" || slices.Contains(a.Against, payments.ObstacleOnboarding):
		return StatusOnboarding
	}
	return StatusRestricted
}

// intent is the id under which the account is opened: the payee's DID, and for another
// try after the processor refused a country, its number.
func (a Account) intent() payments.IntentID {
	if a.try == 1 {
		return payments.IntentID(a.DID)
	}
	return payments.IntentID(fmt.Sprintf("%s/%d", a.DID, a.try))
}

const columns = `did, country, try, coalesce(account, ''), currency, payable, chargeable, obstacles, requirements, checked_at, created_at`

// Load reads what is known of a payee, or returns ErrNotFound.
func Load(ctx context.Context, q sqlite.Querier, did syntax.DID) (Account, error) {
	a, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM payee WHERE did = $1`, did))
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, fmt.Errorf("%w: %s", ErrNotFound, did)
	}
	if err != nil {
		return Account{}, fmt.Errorf("payee: read %s: %w", did, err)
	}
	return a, nil
}

func scan(row interface{ Scan(...any) error }) (a Account, err error) {
	var against, requirements []byte
	var checkedAt, createdAt int64
	err = row.Scan(&a.DID, &a.Country, &a.try, &a.ID, &a.Currency, &a.Payable, &a.Chargeable, &against, &requirements, &checkedAt, &createdAt)
	if err != nil {
		return Account{}, err
	}
	a.CreatedAt = time.UnixMilli(createdAt).UTC()
	if checkedAt != 0 {
		a.CheckedAt = time.UnixMilli(checkedAt).UTC()
	}
	return a, errors.Join(json.Unmarshal(against, &a.Against), json.Unmarshal(requirements, &a.Requirements))
}

// adopt keeps a payee that this database has lost, because it was restored from a backup:
// whoever asked for an account is noted before it is opened, and nobody but this escrow
// could write its mark. It returns ErrNotFound for a mark that no payee's account has.
func adopt(ctx context.Context, tx *store.Tx, found payments.Account) error {
	a := Account{DID: found.Mark.Payee, Country: found.Country, try: 1}
	if number, ok := strings.CutPrefix(string(found.Mark.Intent), a.DID.String()+"/"); ok {
		a.try, _ = strconv.Atoi(number) // what is no number makes another intent
	}
	if a.try < 1 || a.intent() != found.Mark.Intent {
		return fmt.Errorf("%w: %s", ErrNotFound, a.DID)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO payee (did, country, try, created_at) VALUES ($1, $2, $3, $4)`,
		a.DID, a.Country, a.try, found.CreatedAt.UnixMilli())
	if err != nil {
		return fmt.Errorf("payee: keep %s again: %w", a.DID, err)
	}
	return intent.Adopt(ctx, tx, a.intent(), intent.KindAccount, a.DID.String(), string(found.ID))
}

// note keeps what the processor says of an account. One that is not the payee's first is
// payments.ErrDoubled.
func note(ctx context.Context, tx *store.Tx, found payments.Account) error {
	did := found.Mark.Payee
	before, err := Load(ctx, tx, did)
	if err != nil {
		return err
	}
	if before.ID != "" && before.ID != found.ID {
		return fmt.Errorf("%w: %s has the accounts %s and %s", payments.ErrDoubled, did, before.ID, found.ID)
	}
	payable, against := found.Payable()
	chargeable, _ := found.Chargeable()
	obstacles, err1 := json.Marshal(against)
	requirements, err2 := json.Marshal(requirementsOf(found.Requirements))
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("payee: encode what stands against %s: %w", did, err)
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE payee SET account = $1, currency = $2, payable = $3, chargeable = $4, obstacles = $5, requirements = $6, checked_at = $7
		WHERE did = $8`,
		found.ID, found.Currency, payable, chargeable, string(obstacles), string(requirements), tx.Now().UnixMilli(), did)
	if err != nil {
		return fmt.Errorf("payee: keep account %s of %s: %w", found.ID, did, err)
	}
	return nil
}

// maxRequirements is how many the lexicon lists, maxName how long a name may be there.
const (
	maxRequirements = 50
	maxName         = 128
)

// requirementsOf lists what the processor asks for, what is overdue first, once each.
func requirementsOf(r payments.Requirements) (list []Requirement) {
	list = []Requirement{}
	add := func(names []string, dueAt time.Time) {
		for _, name := range names {
			if len(name) > maxName || len(list) == maxRequirements {
				continue
			}
			if !slices.ContainsFunc(list, func(have Requirement) bool { return have.Name == name }) {
				list = append(list, Requirement{name, dueAt})
			}
		}
	}
	add(r.PastDue, time.Time{})
	add(r.Due, r.Deadline)
	return list
}
