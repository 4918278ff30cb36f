package checkout

import (
	"context"
	"errors"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Adopt keeps the payment of a pledge that this database has lost, because it was restored
// from a backup, as the mark of its session tells. Nobody could write the mark but this
// escrow. Where the payer wanted to return to is lost. It returns ledger.ErrNotYet while the
// campaign is lost as well, and ledger.ErrTaken when the pledge was paid by another one.
func (d *Desk) Adopt(ctx context.Context, session payments.Session) error {
	payer, err := session.Mark.Subject.Authority().AsDID()
	if err != nil {
		return fmt.Errorf("checkout: adopt %s: %w", session.ID, err)
	}
	p := Payment{
		ID: ledger.HoldID(session.Mark.Intent), Kind: KindPledge, Subject: session.Mark.Subject, CID: session.Mark.CID, Payer: payer,
		Development: session.Mark.Attempt, Attempt: ledger.AttemptOf(session.Mark.Attempt), Value: session.Amount,
		Account: payments.Platform, ReturnURI: d.cfg.PublicURL, ExpiresAt: session.ExpiresAt,
	}
	if p.Cost, err = d.cfg.Costs.Of(p.Value); err != nil {
		return err
	}
	if p.Acknowledgement, err = d.acknowledge(p, session.CreatedAt); err != nil {
		return err
	}
	if err := d.makeWay(ctx, p); err != nil {
		return err
	}
	return d.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return d.restore(ctx, tx, p, session)
	})
}

// makeWay ends an older offer of the same pledge. It had ended when the newer one was made;
// only this database does not remember.
func (d *Desk) makeWay(ctx context.Context, p Payment) error {
	var there Payment
	var ok bool
	err := d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		there, ok, err = standing(ctx, q, p.Subject)
		return err
	})
	if err != nil || !ok || there.ID == p.ID || !there.Live() {
		return err
	}
	_, err = d.end(ctx, there, EndingExpired)
	return err
}

// restore keeps the payment, unless somebody was faster: a hint and a comparison of
// movements may come upon the same session.
func (d *Desk) restore(ctx context.Context, tx *store.Tx, p Payment, session payments.Session) error {
	if _, err := load(ctx, tx, p.ID); !errors.Is(err, ErrNotFound) {
		return err
	}
	c, err := campaign.Load(ctx, tx, p.Attempt)
	if errors.Is(err, campaign.ErrNotFound) {
		return fmt.Errorf("%w: the campaign of %s, for session %s", ledger.ErrNotYet, p.Development, session.ID)
	}
	if err != nil {
		return err
	}
	p.Title, p.Terms = c.Title, c.Terms
	w := wish{Payment: p}
	w.pin.Pledge, w.pin.Development, w.pin.Proposal, w.pin.Terms, w.pin.HeldUntil = p.Subject, c.Development, c.Proposal, c.Terms, c.FinalAt
	if err := d.Repo.PinReceipt(ctx, tx, w.pin); err != nil {
		return err
	}
	if err := d.Ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: p.ID, Pledge: p.Subject, CID: p.CID, Attempt: p.Attempt, Value: p.Value}); err != nil {
		return err
	}
	if err := add(ctx, tx, p); err != nil {
		return err
	}
	return ordered(ctx, tx, p.ID, session)
}

// ordered notes that a session is that of a payment of which neither the agreement nor the
// order is known here.
func ordered(ctx context.Context, tx *store.Tx, id ledger.HoldID, session payments.Session) error {
	if err := confirm(ctx, tx, id, session.ExpiresAt); err != nil {
		return err
	}
	if err := intent.Adopt(ctx, tx, payments.IntentID(id), intent.KindCheckout, string(id), string(session.ID)); err != nil {
		return err
	}
	return opened(ctx, tx, id, session.ID)
}
