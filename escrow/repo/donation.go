package repo

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Donation is what a developer's own account received. It never was on our balance, so
// the ledger has nothing of it, and its receipt says what is told here.
type Donation struct {
	Subject syntax.ATURI
	CID     syntax.CID
	Value   money.Money
}

// DonationPaid keeps that a donation arrived, with the moment of the transaction. Its
// receipt was pinned before. The same again is nothing.
func (r *Repo) DonationPaid(ctx context.Context, tx *store.Tx, d Donation) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO donation (subject, cid, currency, amount, paid_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (subject) DO NOTHING`,
		d.Subject, d.CID, d.Value.Currency, d.Value.Amount, tx.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("repo: keep the donation %s: %w", d.Subject, err)
	}
	return nil
}

// DonationReversed keeps that all of a donation went back to its payer, by a chargeback
// or by the developer. The same again is nothing, and the first reason stays.
func (r *Repo) DonationReversed(ctx context.Context, tx *store.Tx, donation syntax.ATURI, byBank bool) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE donation SET reversed_at = max(paid_at, $1), by_bank = $2 WHERE subject = $3 AND reversed_at IS NULL`,
		tx.Now().UnixMilli(), byBank, donation)
	if err != nil {
		return fmt.Errorf("repo: keep that the donation %s went back: %w", donation, err)
	}
	return nil
}

// donationReceipt is what is known of a donation, as a record.
func (r *Repo) donationReceipt(ctx context.Context, q sqlite.Querier, donation syntax.ATURI) (*record, error) {
	d := Donation{Subject: donation}
	var paidAt int64
	var reversedAt sql.NullInt64
	var byBank bool
	err := q.QueryRowContext(ctx, `SELECT cid, currency, amount, paid_at, reversed_at, by_bank FROM donation WHERE subject = $1`, donation).Scan(
		&d.CID, &d.Value.Currency, &d.Value.Amount, &paidAt, &reversedAt, &byBank)
	if err != nil {
		return nil, fmt.Errorf("repo: read the donation %s: %w", donation, err)
	}
	pin, err := loadPin(ctx, q, donation)
	if err != nil {
		return nil, err
	}
	paid, _ := ledger.Donation{}.Status()
	content := &stratos.EscrowReceipt{
		LexiconTypeID: lexicons.CollectionReceipt.String(),
		Subject:       comatproto.RepoStrongRef{Uri: donation.String(), Cid: d.CID.String()},
		Development:   pin.Development, Proposal: &pin.Proposal, Terms: pin.Terms,
		Payer:  donation.Authority().String(),
		Value:  stratos.Defs_Money{Amount: d.Value.Amount, Currency: string(d.Value.Currency)},
		Status: string(paid), Test: r.test(),
		CreatedAt: stamp(time.UnixMilli(paidAt)), UpdatedAt: stamp(time.UnixMilli(paidAt)),
		History: []stratos.EscrowReceipt_Change{{Status: string(paid), At: stamp(time.UnixMilli(paidAt))}},
	}
	if reversedAt.Valid {
		status, why := ledger.Donation{Reversed: true, ByBank: byBank}.Status()
		at := stamp(time.UnixMilli(reversedAt.Int64))
		content.Status, content.Reason, content.UpdatedAt = string(status), reason(why), at
		content.History = append(content.History, stratos.EscrowReceipt_Change{Status: string(status), At: at, Reason: reason(why)})
	}
	return newRecord(r.did, lexicons.DerivedKey(donation), content)
}

// Donated tells whether a donation ever arrived.
func (r *Repo) Donated(ctx context.Context, q sqlite.Querier, donation syntax.ATURI) (paid bool, err error) {
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM donation WHERE subject = $1)`, donation).Scan(&paid); err != nil {
		return false, fmt.Errorf("repo: look for the donation %s: %w", donation, err)
	}
	return paid, nil
}
