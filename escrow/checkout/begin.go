package checkout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/returnuri"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// offerLife is how long an offer stands that nobody has agreed to.
const offerLife = time.Hour

// wish is what somebody wants to pay for, as far as it was found to be so.
type wish struct {
	Payment
	pin repo.Pin
}

// Begin offers to pay for a pledge or donation of the caller, or says by a *Refusal why
// not. The same call again gives the same payment while it stands; what is to be paid is
// the version that cid names, and an earlier version's offer ends before.
func (d *Desk) Begin(ctx context.Context, caller syntax.DID, subject comatproto.RepoStrongRef, returnURI string) (Payment, error) {
	p, err := d.begin(ctx, caller, subject, returnURI)
	return p, d.metrics.refused(err)
}

func (d *Desk) begin(ctx context.Context, caller syntax.DID, subject comatproto.RepoStrongRef, returnURI string) (Payment, error) {
	back, err := returnuri.Parse(returnURI, d.cfg.Local)
	if err != nil {
		return Payment{}, refuseFor(err, InvalidReturnURI, "returnUri: an https address without credentials, of at most %d bytes, is needed", returnuri.MaxLength)
	}
	uri, cid, err := parseSubject(subject, caller)
	if err != nil {
		return Payment{}, err
	}
	p, again, err := d.makeRoom(ctx, uri, cid, back)
	if err != nil || again {
		return p, err
	}
	record, err := d.prove(ctx, uri, cid)
	if err != nil {
		return Payment{}, err
	}
	w, err := d.examine(ctx, uri, cid, record)
	if err != nil {
		return Payment{}, err
	}
	w.ReturnURI = back
	return d.offer(ctx, w)
}

// parseSubject wants the uri of a pledge or donation that is the caller's own.
func parseSubject(subject comatproto.RepoStrongRef, caller syntax.DID) (syntax.ATURI, syntax.CID, error) {
	uri, err := syntax.ParseATURI(subject.Uri)
	if err != nil {
		return "", "", refuseFor(err, InvalidSubject, "subject: the uri is not an at-uri")
	}
	author, err := uri.Authority().AsDID()
	if err != nil || uri.RecordKey() == "" {
		return "", "", refuse(InvalidSubject, "subject: the uri has to name a record in the repository of a DID")
	}
	if c := uri.Collection(); c != lexicons.CollectionPledge && c != lexicons.CollectionDonation {
		return "", "", refuse(InvalidSubject, "subject: only pledges and donations are paid here")
	}
	cid, err := syntax.ParseCID(subject.Cid)
	if err != nil {
		return "", "", refuseFor(err, InvalidSubject, "subject: the cid is not one")
	}
	if author != caller {
		return "", "", refuse(NotAuthor, "This is somebody else's pledge. Write one of your own to pay for it.")
	}
	return uri, cid, nil
}

// makeRoom returns the payment that the record has already, or ends the one of another
// version.
func (d *Desk) makeRoom(ctx context.Context, uri syntax.ATURI, cid syntax.CID, back string) (p Payment, again bool, err error) {
	var there bool
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		p, there, err = standing(ctx, q, uri)
		return err
	})
	if err != nil || !there {
		return Payment{}, false, err
	}
	if p.Live() && (p.CID != cid || p.Ending != EndingNone || !d.Clock().Before(p.ExpiresAt)) {
		why := EndingEdited
		if p.CID == cid {
			why = EndingExpired
		}
		if p, err = d.end(ctx, p, why); err != nil {
			return Payment{}, false, refuseFor(err, ProcessorUnavailable, "An earlier offer to pay for this has to end first, and the payment processor does not answer. Try again in a minute.")
		}
	}
	switch p.State {
	case StateEnded:
		return Payment{}, false, nil
	case StatePaid, StateReversed:
		return Payment{}, false, errPaid
	case StateProcessing:
		return Payment{}, false, refuse(AlreadyPaid, "A payment for this is being processed. Its page shows how it goes on: %s", d.PaidURL(p.ID))
	}
	if p.CID != cid || p.Ending != EndingNone {
		return Payment{}, false, refuse(ProcessorUnavailable, "An earlier offer to pay for this has to end first. Try again in a minute.")
	}
	if p.ReturnURI == back {
		return p, true, nil
	}
	p.ReturnURI = back
	err = d.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return returnTo(ctx, tx, p.ID, back) })
	return p, true, err
}

var errPaid error = &Refusal{Name: AlreadyPaid, Message: "This was paid for already. To give more, write another pledge."}

// prove fetches the version that is to be paid for from the author's own PDS.
func (d *Desk) prove(ctx context.Context, uri syntax.ATURI, cid syntax.CID) (lexicons.Record, error) {
	found, err := d.Proofs.Fetch(ctx, uri)
	switch {
	case errors.Is(err, proof.ErrStale):
		return nil, refuseFor(err, SubjectUnproven, "Your PDS shows an older state of your repository than it has published. Try again in a minute.")
	case errors.Is(err, proof.ErrUnavailable):
		return nil, refuseFor(err, SubjectUnproven, "Your PDS does not answer, or does not show your account. Try again later.")
	case errors.Is(err, proof.ErrForged):
		return nil, refuseFor(err, SubjectUnproven, "What your PDS says about your record is not signed by your account. If this stays so, ask whoever runs it.")
	case err != nil:
		return nil, err
	case !found.Present:
		return nil, refuse(SubjectNotFound, "The record is not in your repository: it was deleted, or never arrived there.")
	case found.CID != cid:
		return nil, refuse(SubjectChanged, "The record was changed meanwhile. Look at it once more, and pay for what it says now.")
	}
	did, err := uri.Authority().AsDID()
	if err != nil {
		return nil, err
	}
	record, err := lexicons.ParseRecord(did, uri.Collection(), uri.RecordKey(), found.Record)
	if invalid, ok := errors.AsType[*lexicons.InvalidError](err); ok {
		return nil, refuseFor(err, InvalidSubject, "The record is not valid (%s), so no money can be taken for it. Write it anew.", invalid.Reason)
	}
	return record, err
}

// examine looks whether the wish may come true.
func (d *Desk) examine(ctx context.Context, uri syntax.ATURI, cid syntax.CID, record lexicons.Record) (wish, error) {
	payer, err := uri.Authority().AsDID()
	if err != nil {
		return wish{}, err
	}
	w := wish{Payment: Payment{ID: newID(), Subject: uri, CID: cid, Payer: payer, State: StateOpen}}
	w.pin.Pledge = uri
	switch r := record.(type) {
	case *stratos.FeaturePledge:
		w.Kind = KindPledge
		err = d.examinePledge(ctx, &w, r)
	case *stratos.FeatureDonation:
		w.Kind = KindDonation
		err = d.examineDonation(ctx, &w, r)
	default:
		err = fmt.Errorf("checkout: %s is a %T", uri, record)
	}
	return w, err
}

// newID is what nobody can guess.
func newID() ledger.HoldID { return ledger.HoldID(strings.ToLower(rand.Text())) }

// named wants the record to name this escrow, and notes what it says.
func (w *wish) named(escrow syntax.DID, development comatproto.RepoStrongRef, names string, value stratos.Defs_Money) error {
	if names != escrow.String() {
		return refuse(WrongEscrow, "The record names another escrow, %s. Pay there, or write one that names this one.", names)
	}
	w.Development = syntax.ATURI(development.Uri)
	w.Attempt = ledger.AttemptOf(w.Development)
	w.Value = money.Money{Amount: value.Amount, Currency: money.Currency(value.Currency)}
	return nil
}

// within wants the amount to be one that the terms allow.
func (w *wish) within(terms repo.Agreed) error {
	least, most, ok := terms.Bounds(w.Value.Currency)
	if !ok {
		return refuse(CurrencyMismatch, "The terms of this escrow have no %s.", w.Value.Currency)
	}
	if w.Value.Amount < least || w.Value.Amount > most {
		return refuse(AmountOutOfRange, "Between %s and %s can be paid at once, and not %s.",
			money.Money{Amount: least, Currency: w.Value.Currency}, money.Money{Amount: most, Currency: w.Value.Currency}, w.Value)
	}
	w.Terms = terms.Ref
	return nil
}

// offer keeps the payment, with the hold and the pin of a pledge, or says why it cannot.
func (d *Desk) offer(ctx context.Context, w wish) (p Payment, err error) {
	if w.Acknowledgement, err = d.acknowledge(w.Payment, d.Clock()); err != nil {
		return Payment{}, err
	}
	err = d.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		there, taken, err := standing(ctx, tx, w.Subject)
		switch {
		case err != nil:
			return err
		case taken && there.CID == w.CID && there.Payable(tx.Now()):
			p = there // asked twice at once
			return nil
		case taken:
			return refuse(AlreadyPaid, "Another offer to pay for this was made at the same moment. Try again.")
		}
		if err := d.allowed(ctx, tx, w); err != nil {
			return err
		}
		if err := d.reserve(ctx, tx, w); err != nil {
			return err
		}
		if err := add(ctx, tx, w.Payment); err != nil {
			return err
		}
		p, err = load(ctx, tx, w.ID)
		return err
	})
	if err != nil {
		return Payment{}, err
	}
	if err := d.Crash.At(crashpoint.AfterOffer); err != nil {
		return Payment{}, err
	}
	if p.ID == w.ID {
		d.metrics.came(p, outcomeOffered)
	}
	d.Log.Info("offered", "pledge", p.Subject, "hold", p.ID, "amount", p.Value.Amount, "currency", p.Value.Currency, "kind", p.Kind)
	return p, nil
}

// allowed asks what must be so at the very moment: that money is taken in at all, and that
// the float covers what it may cost.
func (d *Desk) allowed(ctx context.Context, tx *store.Tx, w wish) error {
	if err := d.Halted(ctx, tx); err != nil {
		return refuseFor(err, ProcessorUnavailable, "Nothing can be paid at the moment: %v", err)
	}
	if w.Kind == KindDonation {
		return nil // the developer's own account pays for it
	}
	c, terms, err := d.takes(ctx, tx, w.Attempt, tx.Now())
	if err != nil {
		return err
	}
	if err := limited(ctx, tx, w, c, terms); err != nil {
		return err
	}
	err = covered(ctx, tx, w.Value.Currency, w.Cost)
	if errors.Is(err, errFloat) {
		return refuseFor(err, FloatExhausted, "The operator has to put money aside first, so that everybody can be refunded in full. Try again later.")
	}
	return err
}

// reserve opens the hold of a pledge, and pins what the receipt will say.
func (d *Desk) reserve(ctx context.Context, tx *store.Tx, w wish) error {
	if err := d.notDonated(ctx, tx, w.Subject); err != nil {
		return err
	}
	err := d.Repo.PinReceipt(ctx, tx, w.pin)
	if errors.Is(err, repo.ErrPinned) {
		return refuseFor(err, InvalidSubject, "This record was for something else when it was to be paid before. Write a new one.")
	}
	if err != nil || w.Kind == KindDonation {
		return err
	}
	err = d.Ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: w.ID, Pledge: w.Subject, CID: w.CID, Attempt: w.Attempt, Value: w.Value})
	switch {
	case errors.Is(err, ledger.ErrTaken):
		return errPaid
	case errors.Is(err, ledger.ErrDecided):
		return refuseFor(err, CampaignNotOpen, "What becomes of the money of this campaign has been decided. Nothing can be pledged any more.")
	}
	return err
}
