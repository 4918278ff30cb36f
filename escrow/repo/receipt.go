package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Pin is what a receipt says beside what the ledger knows. It is fixed before the
// payer is sent to the processor.
type Pin struct {
	Pledge      syntax.ATURI
	Development comatproto.RepoStrongRef
	Proposal    comatproto.RepoStrongRef
	Terms       comatproto.RepoStrongRef
	// HeldUntil is by when the money is paid out or goes back.
	HeldUntil time.Time
}

// PinReceipt fixes what the receipt of a pledge or donation will say. The same pin again
// is nothing; another one is ErrPinned, but for a donation that was not paid: each offer
// of one is under the terms of its own moment. A receipt without a pin cannot be
// published, so it belongs into the transaction that opens the pledge's hold.
func (r *Repo) PinReceipt(ctx context.Context, tx *store.Tx, p Pin) error {
	p.HeldUntil = p.HeldUntil.UTC().Truncate(time.Millisecond)
	there, err := loadPin(ctx, tx, p.Pledge)
	switch {
	case err == nil && there == p:
		return nil
	case err == nil:
		paid, err := r.Donated(ctx, tx, p.Pledge)
		if err != nil {
			return err
		}
		if paid || p.Pledge.Collection() != lexicons.CollectionDonation {
			return fmt.Errorf("%w: %s", ErrPinned, p.Pledge)
		}
	case !errors.Is(err, errUnpinned):
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO receipt_pin (pledge, development, development_cid, proposal, proposal_cid, terms, terms_cid, held_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (pledge) DO UPDATE SET
			development = excluded.development, development_cid = excluded.development_cid, proposal = excluded.proposal,
			proposal_cid = excluded.proposal_cid, terms = excluded.terms, terms_cid = excluded.terms_cid, held_until = excluded.held_until`,
		p.Pledge, p.Development.Uri, p.Development.Cid, p.Proposal.Uri, p.Proposal.Cid, p.Terms.Uri, p.Terms.Cid, p.HeldUntil.UnixMilli())
	if err != nil {
		return fmt.Errorf("repo: pin the receipt of %s: %w", p.Pledge, err)
	}
	return nil
}

// PinOf reads what was pinned for a receipt.
func (r *Repo) PinOf(ctx context.Context, q sqlite.Querier, subject syntax.ATURI) (Pin, error) {
	return loadPin(ctx, q, subject)
}

func loadPin(ctx context.Context, q sqlite.Querier, pledge syntax.ATURI) (Pin, error) {
	p := Pin{Pledge: pledge}
	var heldUntil int64
	err := q.QueryRowContext(ctx, `
		SELECT development, development_cid, proposal, proposal_cid, terms, terms_cid, held_until
		FROM receipt_pin WHERE pledge = $1`, pledge).Scan(
		&p.Development.Uri, &p.Development.Cid, &p.Proposal.Uri, &p.Proposal.Cid, &p.Terms.Uri, &p.Terms.Cid, &heldUntil)
	if errors.Is(err, sql.ErrNoRows) {
		return Pin{}, fmt.Errorf("%w: %s", errUnpinned, pledge)
	}
	if err != nil {
		return Pin{}, fmt.Errorf("repo: read the pin of %s: %w", pledge, err)
	}
	p.HeldUntil = time.UnixMilli(heldUntil).UTC()
	return p, nil
}

// receipt is what is known of a pledge or donation, as a record.
func (r *Repo) receipt(ctx context.Context, q sqlite.Querier, subject syntax.ATURI) (*record, error) {
	if subject.Collection() == lexicons.CollectionDonation {
		return r.donationReceipt(ctx, q, subject)
	}
	return r.pledgeReceipt(ctx, q, subject)
}

// pledgeReceipt is what the ledger says of a pledge, as a record. It depends on nothing
// else, so the same state makes the same bytes.
func (r *Repo) pledgeReceipt(ctx context.Context, q sqlite.Querier, pledge syntax.ATURI) (*record, error) {
	state, err := ledger.ReceiptState(ctx, q, pledge)
	if err != nil {
		return nil, err
	}
	return r.receiptOf(ctx, q, state)
}

func (r *Repo) receiptOf(ctx context.Context, q sqlite.Querier, state ledger.Receipt) (*record, error) {
	pledge := state.Pledge
	pin, err := loadPin(ctx, q, pledge)
	if err != nil {
		return nil, err
	}
	content := &stratos.EscrowReceipt{
		LexiconTypeID: lexicons.CollectionReceipt.String(),
		Subject:       comatproto.RepoStrongRef{Uri: pledge.String(), Cid: state.CID.String()},
		Development:   pin.Development, Proposal: &pin.Proposal, Terms: pin.Terms,
		Payer:  pledge.Authority().String(),
		Value:  stratos.Defs_Money{Amount: state.Value.Amount, Currency: string(state.Value.Currency)},
		Status: string(state.Status), Reason: reason(state.Reason),
		Test:      r.test(),
		CreatedAt: stamp(state.History[0].At), UpdatedAt: stamp(state.At),
	}
	for _, c := range state.History {
		content.History = append(content.History, stratos.EscrowReceipt_Change{Status: string(c.Status), At: stamp(c.At), Reason: reason(c.Reason)})
	}
	if state.Fee.Amount > 0 {
		content.Fee = &stratos.Defs_Total{Amount: state.Fee.Amount, Currency: string(state.Fee.Currency)}
	}
	if state.Status == lifecycle.ReceiptHeld {
		heldUntil := stamp(pin.HeldUntil)
		content.HeldUntil = &heldUntil
	}
	return newRecord(r.did, lexicons.DerivedKey(pledge), content)
}

func reason(r ledger.Reason) *string {
	if r == "" {
		return nil
	}
	text := string(r)
	return &text
}

func stamp(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }
