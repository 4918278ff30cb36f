package checkout

import (
	"context"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// Status is where a payment stands, in the words of fund.stratos.escrow.defs#paymentView.
type Status string

// The statuses of a payment of which no receipt speaks; the others are a receipt's.
const (
	StatusOpen       Status = "open"
	StatusProcessing Status = "processing"
	StatusExpired    Status = "expired"
	StatusFailed     Status = "failed"
)

// View is a payment as its payer may see it.
type View struct {
	Payment
	Status
	// Reason is why money goes back or went back; empty for none.
	Reason ledger.Reason
	// Receipt is the record that says so to everybody; empty while there is none.
	Receipt syntax.ATURI
	// Since is when the status began.
	Since time.Time
}

// Get returns a payment to its payer, or ErrNotFound.
func (d *Desk) Get(ctx context.Context, payer syntax.DID, id ledger.HoldID) (v View, err error) {
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		p, err := load(ctx, q, id)
		if err != nil {
			return err
		}
		if p.Payer != payer {
			return fmt.Errorf("%w: %s, not of %s", ErrNotFound, id, payer)
		}
		v, err = d.view(ctx, q, p)
		return err
	})
	return v, err
}

// Place is where a list goes on.
type Place struct {
	CreatedAt time.Time
	ID        ledger.HoldID
}

// List returns payments of a payer, the newest first, from behind a place on; nil begins.
func (d *Desk) List(ctx context.Context, payer syntax.DID, after *Place, limit int) (list []View, err error) {
	if after == nil {
		after = &Place{CreatedAt: lifecycle.End}
	}
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		found, err := sqlite.Collect(ctx, q, `
			SELECT `+columns+` FROM payment WHERE payer = $1 AND (created_at, id) < ($2, $3)
			ORDER BY created_at DESC, id DESC LIMIT $4`, scanRows, payer, after.CreatedAt.UnixMilli(), after.ID, limit)
		if err != nil {
			return fmt.Errorf("checkout: list the payments of %s: %w", payer, err)
		}
		for _, p := range found {
			v, err := d.view(ctx, q, p)
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		return nil
	})
	return list, err
}

func (d *Desk) view(ctx context.Context, q sqlite.Querier, p Payment) (View, error) {
	v := View{Payment: p, Status: statusOf(p), Since: p.UpdatedAt}
	if p.Kind == KindDonation {
		switch donated, err := d.Repo.Donated(ctx, q, p.Subject); {
		case err != nil:
			return View{}, err
		case donated:
			v.Receipt = d.receipt(p.Subject)
		}
		return v, nil
	}
	h, err := ledger.LoadHold(ctx, q, p.ID)
	if err != nil {
		return View{}, err
	}
	if h.Charge == "" {
		return v, nil
	}
	status, reason := h.Status()
	v.Status, v.Reason, v.Receipt = Status(status), reason, d.receipt(p.Subject)
	// The receipt is about one hold of the pledge, which need not be this one.
	switch r, err := ledger.ReceiptState(ctx, q, p.Subject); {
	case err != nil:
		return View{}, err
	case r.Hold == p.ID:
		v.Since = r.At
	}
	return v, nil
}

// statusOf is where a payment stands of which no money is in the ledger.
func statusOf(p Payment) Status {
	switch {
	case p.State == StatePaid:
		return Status(lifecycle.ReceiptPaid)
	case p.State == StateReversed:
		return Status(lifecycle.ReceiptReversed)
	case p.State == StateProcessing:
		return StatusProcessing
	case p.State == StateOpen && p.Ending == EndingNone:
		return StatusOpen
	case p.Ending == EndingRefused, p.Ending == EndingUnfit:
		return StatusFailed
	default:
		return StatusExpired
	}
}

// receipt is the record that speaks of a pledge or donation.
func (d *Desk) receipt(subject syntax.ATURI) syntax.ATURI {
	return syntax.ATURI(fmt.Sprintf("at://%s/%s/%s", d.cfg.DID, lexicons.CollectionReceipt, lexicons.DerivedKey(subject)))
}

// Offer is what a payer sees before they agree.
type Offer struct {
	View
	// Payable tells whether it can be agreed to now.
	Payable bool
	// Campaign is what was frozen; nil for a donation.
	Campaign *campaign.Campaign
	// Fee is what the operator keeps of a pledge that is released, in minor units.
	Fee   int64
	Terms repo.Agreed
	// Names are the handles of accounts, as far as they are known.
	Names map[syntax.DID]syntax.Handle
}

// Offer returns a payment to whoever knows its id, or ErrNotFound.
func (d *Desk) Offer(ctx context.Context, id ledger.HoldID) (o Offer, err error) {
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		p, err := load(ctx, q, id)
		if err != nil {
			return err
		}
		if o.View, err = d.view(ctx, q, p); err != nil {
			return err
		}
		o.Payable = p.Payable(d.Clock())
		if o.Terms, err = d.Repo.TermsByKey(ctx, q, syntax.ATURI(p.Terms.Uri).RecordKey()); err != nil {
			return err
		}
		if p.Kind == KindDonation {
			return nil
		}
		c, err := campaign.Load(ctx, q, p.Attempt)
		if err != nil {
			return err
		}
		o.Campaign = &c
		o.Fee, err = ledger.Fee(p.Value, c.Fee)
		return err
	})
	if err != nil {
		return Offer{}, err
	}
	return o, d.name(ctx, &o)
}

// name finds out who is who.
func (d *Desk) name(ctx context.Context, o *Offer) error {
	who := []syntax.DID{o.Payer}
	if o.Campaign != nil {
		who = append(who, o.Campaign.Author)
		for _, p := range o.Campaign.Payees {
			who = append(who, p.DID)
		}
	} else {
		who = append(who, o.Donee)
	}
	return d.Index.Read(ctx, func(r *index.Reader) (err error) {
		o.Names, err = r.Handles(ctx, who)
		return err
	})
}

// Terms returns terms that the escrow announced once, or repo.ErrNoTerms.
func (d *Desk) Terms(ctx context.Context, rkey syntax.RecordKey) (t repo.Agreed, err error) {
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		t, err = d.Repo.TermsByKey(ctx, q, rkey)
		return err
	})
	return t, err
}
