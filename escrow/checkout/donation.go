package checkout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// examineDonation compares a donation with the attempt as the index has it (rule 5): no
// money is held, so nothing is frozen.
func (d *Desk) examineDonation(ctx context.Context, w *wish, r *stratos.FeatureDonation) error {
	if err := w.named(d.cfg.DID, r.Development, r.Escrow, r.Value); err != nil {
		return err
	}
	now := d.Clock()
	a, title, err := d.developing(ctx, syntax.ATURI(r.Proposal.Uri), w.Development, now)
	if err != nil {
		return err
	}
	switch {
	case a.attempt.Development.Escrow != d.cfg.DID:
		return refuse(WrongEscrow, "This work names another escrow, %s.", a.attempt.Development.Escrow)
	case w.Value.Currency != a.attempt.Development.Currency:
		return refuse(CurrencyMismatch, "This work is in %s, and the donation in %s.", a.attempt.Development.Currency, w.Value.Currency)
	case a.own(w.Payer):
		return refuse(NotEligible, "Nobody can donate to their own work.")
	}
	var terms repo.Agreed
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		current, err := d.Repo.CurrentTerms(ctx, q)
		if err != nil {
			return err
		}
		terms, err = d.Repo.TermsByKey(ctx, q, syntax.ATURI(current.Uri).RecordKey())
		return err
	})
	if err != nil {
		return err
	}
	if err := w.within(terms); err != nil {
		return err
	}
	w.Donee = a.donee()
	if w.Account, err = d.chargeable(ctx, w.Donee); err != nil {
		return err
	}
	w.Title, w.ExpiresAt = title, now.Add(offerLife)
	w.pin.Development, w.pin.Proposal, w.pin.Terms, w.pin.HeldUntil = r.Development, r.Proposal, terms.Ref, now
	return nil
}

// developed is an attempt that may be donated to.
type developed struct {
	attempt lifecycle.AttemptState
	team    []syntax.DID
}

// donee is who receives donations.
func (a developed) donee() syntax.DID {
	if a.attempt.Development.Donations != "" {
		return a.attempt.Development.Donations
	}
	return a.attempt.Author
}

// own tells whether the money would come back to the account.
func (a developed) own(account syntax.DID) bool {
	return account == a.attempt.Author || account == a.donee() ||
		slices.Contains(a.team, account) || slices.Contains(a.attempt.Development.Payees, account)
}

// developing finds an attempt that takes donations, and its title.
func (d *Desk) developing(ctx context.Context, proposal, development syntax.ATURI, now time.Time) (a developed, title string, err error) {
	unknown := refuse(DevelopmentNotFound, "This work is not known here yet, or not by somebody who may work on it.")
	facts, err := d.facts(ctx, proposal)
	if errors.Is(err, index.ErrNotFound) {
		return developed{}, "", unknown
	}
	if err != nil {
		return developed{}, "", err
	}
	attempts := lifecycle.AttemptsAt(facts, now)
	i := slices.IndexFunc(attempts, func(s lifecycle.AttemptState) bool { return s.URI == development })
	if i < 0 || attempts[i].Development == nil || !attempts[i].Authorized {
		return developed{}, "", unknown
	}
	a = developed{attempts[i], lifecycle.DevelopersAt(facts, now)}
	stage, ok := lifecycle.StageAt(lifecycle.Evaluate(facts), now)
	if !ok || stage.Stage != lifecycle.StageDevelopment || !a.attempt.Current {
		return developed{}, "", refuse(DonationsClosed, "Donations are for work in development, and this one takes none now.")
	}
	title, err = d.titleOf(ctx, development)
	return a, title, err
}

// titleOf reads what the developer calls the work.
func (d *Desk) titleOf(ctx context.Context, development syntax.ATURI) (title string, err error) {
	author, err := development.Authority().AsDID()
	if err != nil {
		return "", err
	}
	err = d.Index.Read(ctx, func(r *index.Reader) error {
		rows, err := r.Records(ctx, []syntax.ATURI{development})
		if err != nil {
			return err
		}
		row, ok := rows[development]
		if !ok {
			return refuse(DevelopmentNotFound, "This work is not known here any more.")
		}
		parsed, err := lexicons.ParseRecord(author, development.Collection(), development.RecordKey(), row.Value)
		if invalid, ok := errors.AsType[*lexicons.InvalidError](err); ok { // edited a moment ago
			return refuseFor(invalid, DevelopmentNotFound, "This work is not known here any more.")
		}
		if err != nil {
			return err
		}
		record, ok := parsed.(*stratos.WorkDevelopment)
		if !ok {
			return fmt.Errorf("checkout: %s is a %T", development, parsed)
		}
		title = record.Title
		return nil
	})
	return title, err
}

// chargeable returns the account of somebody who can be donated to today.
func (d *Desk) chargeable(ctx context.Context, donee syntax.DID) (payments.AccountID, error) {
	notReady := func(err error) error {
		return refuseFor(err, PayeeNotReady, "The developer cannot receive donations yet: their account at the payment processor is not ready.")
	}
	id, err := d.Donee(ctx, donee)
	if errors.Is(err, ErrNoAccount) {
		return "", notReady(err)
	}
	if err != nil {
		return "", err
	}
	account, err := d.Processor.Account(ctx, id)
	if errors.Is(err, payments.ErrNotFound) {
		return "", notReady(err)
	}
	if err != nil {
		return "", refuseFor(err, ProcessorUnavailable, "The payment processor does not answer. Try again in a minute.")
	}
	if ok, against := account.Chargeable(); !ok {
		return "", notReady(fmt.Errorf("checkout: %s: %v", id, against))
	}
	return id, nil
}

// notDonated refuses a record that was donated for.
func (d *Desk) notDonated(ctx context.Context, tx *store.Tx, subject syntax.ATURI) error {
	paid, err := d.Repo.Donated(ctx, tx, subject)
	if err == nil && paid {
		return errPaid
	}
	return err
}
