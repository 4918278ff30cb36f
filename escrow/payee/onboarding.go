package payee

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/returnuri"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// The pages of the escrow to which the processor sends payees back: each with the
// parameter that says whose visit it was.
const (
	ReturnPath  = "/payout/return"
	RefreshPath = "/payout/refresh"
	VisitParam  = "visit"
)

// visitLasts is how long a payee may take until the way back is forgotten.
const visitLasts = 24 * time.Hour

// Visit is a payee on the way to the processor's pages.
type Visit struct {
	Payee syntax.DID
	// ReturnURI is where the payee wanted to go afterwards. It is shown before anybody
	// is sent there.
	ReturnURI string
}

// Begin sends a payee to the processor's pages: it opens the account if there is none,
// and makes a link. The country is needed for that, and means nothing later. It may be
// called as often as one likes.
//
// Beside an error of the processor it returns ErrCountry, ErrUnsupported, ErrReturn,
// ErrTooLong, or payments.ErrDoubled.
func (p *Payees) Begin(ctx context.Context, did syntax.DID, country, returnURI string) (Account, payments.Link, error) {
	returnURI, err := returnuri.Parse(returnURI, p.cfg.Local)
	if err != nil {
		return Account{}, payments.Link{}, fmt.Errorf("%w: %w", ErrReturn, err)
	}
	if err := nameable(did); err != nil {
		return Account{}, payments.Link{}, err
	}
	a, err := p.opened(ctx, did, country)
	if err != nil {
		return a, payments.Link{}, err
	}
	visit := Visit{Payee: did, ReturnURI: returnURI}
	token := rand.Text()
	if err := p.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return keepVisit(ctx, tx, token, visit) }); err != nil {
		return a, payments.Link{}, err
	}
	link, err := p.link(ctx, a, token)
	return a, link, err
}

// nameable wants that every order about a payee can be sent. The longest key of them is
// that of a transfer: a hold, the payee, and which try it is.
func nameable(did syntax.DID) error {
	const hold, lastTry = "abcdefghijklmnopqrstuvwxyz", "/9999" // holds have as many letters
	transfer := intent.Intent{Kind: intent.KindTransfer, ID: payments.IntentID(hold + "/" + did.String() + lastTry)}
	if err := transfer.Key().Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrTooLong, err)
	}
	return nil
}

// opened returns the payee's account at the processor, and opens it first if need be.
func (p *Payees) opened(ctx context.Context, did syntax.DID, country string) (Account, error) {
	a, err := p.asked(ctx, did, country)
	if err != nil || a.ID != "" {
		return a, err
	}
	_, err = intent.Carry(ctx, p.carrier, a.intent(), p.order(a))
	if errors.Is(err, intent.ErrClosed) {
		// Another request has opened it, or was refused, meanwhile.
		err = nil
	}
	if refusesCountry(err) {
		return a, fmt.Errorf("%w: %s: %w", ErrUnsupported, a.Country, err)
	}
	if err := p.stop(ctx, err); err != nil {
		return a, fmt.Errorf("payee: open the account of %s: %w", did, err)
	}
	if a, err = p.Account(ctx, did); err == nil && a.ID == "" {
		return a, fmt.Errorf("%w: %s", ErrUnsupported, a.Country)
	}
	return a, err
}

// refusesCountry tells whether the processor said no because of where the payee lives.
func refusesCountry(err error) bool {
	failure, ok := errors.AsType[*payments.Failure](err)
	return ok && errors.Is(failure.Kind, payments.ErrRefused) && (failure.Param == "country" || strings.HasPrefix(failure.Code, "country_"))
}

// asked notes that the payee wants an account, with the intent to open it. One whose
// country the processor refused may name another.
func (p *Payees) asked(ctx context.Context, did syntax.DID, country string) (a Account, err error) {
	err = p.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		a, err = Load(ctx, tx, did)
		switch {
		case errors.Is(err, ErrNotFound):
			a = Account{DID: did, Country: country, try: 1, CreatedAt: tx.Now()}
		case err != nil || a.ID != "":
			return err
		default:
			i, err := intent.Load(ctx, tx, a.intent())
			if err != nil || i.Refused == "" {
				return err
			}
			a.Country, a.try = country, a.try+1
		}
		if len(country) != 2 || strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return ErrCountry
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO payee (did, country, try, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (did) DO UPDATE SET country = excluded.country, try = excluded.try`,
			a.DID, a.Country, a.try, a.CreatedAt.UnixMilli())
		if err != nil {
			return fmt.Errorf("payee: note that %s wants an account: %w", did, err)
		}
		return intent.Note(ctx, tx, a.intent(), intent.KindAccount, did.String())
	})
	return a, err
}

// order opens an account that can be paid, and can take donations, which go straight to
// it (rule 5).
func (p *Payees) order(a Account) intent.Order[payments.Account] {
	return intent.Order[payments.Account]{
		Made: func(ctx context.Context, since time.Time) iter.Seq2[payments.Account, error] {
			return p.processor.Accounts(ctx, since)
		},
		Send: func(ctx context.Context, key payments.Key) (payments.Account, error) {
			return p.processor.OpenAccount(ctx, payments.AccountOrder{
				Key: key, Mark: payments.PayeeMark{Escrow: p.cfg.Escrow, Payee: a.DID, Intent: a.intent()},
				Country: a.Country, Donations: true,
			})
		},
		ID: func(made payments.Account) string { return string(made.ID) },
		Record: func(ctx context.Context, tx *store.Tx, made payments.Account) error {
			p.log.Info("a payee has an account at the processor", "did", a.DID, "account", made.ID, "country", a.Country)
			return note(ctx, tx, made)
		},
	}
}

func (p *Payees) link(ctx context.Context, a Account, token string) (payments.Link, error) {
	at := func(path string) string {
		return strings.TrimSuffix(p.cfg.PublicURL, "/") + path + "?" + url.Values{VisitParam: {token}}.Encode()
	}
	link, err := p.processor.Link(ctx, payments.LinkOrder{Account: a.ID, ReturnURL: at(ReturnPath), RefreshURL: at(RefreshPath)})
	if err != nil {
		return link, fmt.Errorf("payee: make a link for %s: %w", a.DID, err)
	}
	return link, nil
}

// Visit returns a visit by its token, or ErrVisit.
func (p *Payees) Visit(ctx context.Context, token string) (v Visit, err error) {
	err = p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		err := q.QueryRowContext(ctx, `SELECT payee, return_uri FROM payee_visit WHERE token = $1 AND expires_at > $2`, token, p.now().UnixMilli()).
			Scan(&v.Payee, &v.ReturnURI)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrVisit
		}
		if err != nil {
			return fmt.Errorf("payee: read a visit: %w", err)
		}
		return nil
	})
	return v, err
}

// Refresh makes another link for a visit, when the processor's first one has ended. It
// returns ErrVisit for a visit that is over: the payee begins again.
func (p *Payees) Refresh(ctx context.Context, token string) (payments.Link, error) {
	v, err := p.Visit(ctx, token)
	if err != nil {
		return payments.Link{}, err
	}
	a, err := p.Account(ctx, v.Payee)
	if err != nil {
		return payments.Link{}, err
	}
	return p.link(ctx, a, token)
}

func keepVisit(ctx context.Context, tx *store.Tx, token string, v Visit) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM payee_visit WHERE expires_at <= $1`, tx.Now().UnixMilli()); err != nil {
		return fmt.Errorf("payee: forget visits: %w", err)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO payee_visit (token, payee, return_uri, expires_at) VALUES ($1, $2, $3, $4)`,
		token, v.Payee, v.ReturnURI, tx.Now().Add(visitLasts).UnixMilli())
	if err != nil {
		return fmt.Errorf("payee: keep a visit of %s: %w", v.Payee, err)
	}
	return nil
}
