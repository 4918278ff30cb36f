package repo

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const donation syntax.ATURI = "at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.donation/3lbqxkdzvqk2a"

// donated is a donation that a developer's account received.
func (w *world) donated() {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		p := pinOf("h1", w.account.DID)
		p.Pledge = donation
		if err := w.repo.PinReceipt(ctx, tx, p); err != nil {
			return err
		}
		return w.repo.DonationPaid(ctx, tx, Donation{donation, someCID, money.Money{Amount: 2500, Currency: "USD"}})
	})
}

func (w *world) wantDonation(statuses ...string) {
	w.t.Helper()
	record, _ := w.read(lexicons.CollectionReceipt, lexicons.DerivedKey(donation))
	r, ok := record.(*stratos.EscrowReceipt)
	if !ok || r.Status != statuses[len(statuses)-1] || len(r.History) != len(statuses) {
		w.t.Fatalf("the receipt is %+v, want %v", record, statuses)
	}
	for i, want := range statuses {
		if r.History[i].Status != want {
			w.t.Errorf("%d. %s instead of %s", i, r.History[i].Status, want)
		}
	}
	if r.Payer != "did:plc:payerpayerpayerpayerpaye" || r.Value.Amount != 2500 || r.Subject.Uri != donation.String() || r.HeldUntil != nil {
		w.t.Errorf("the receipt is %+v", r)
	}
}

func TestPin_OfADonationStandsOnceItIsPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pin := pinOf("h1", w.account.DID)
	pin.Pledge = donation
	other := pin
	other.Development.Uri, other.HeldUntil = "at://did:plc:ann/fund.stratos.work.development/3lbqxkdzvqk2b", pin.HeldUntil.Add(time.Hour)
	pinned := func(p Pin) error {
		return w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error { return w.repo.PinReceipt(ctx, tx, p) })
	}
	w.ok(pinned(other))
	w.donated() // by the first pin
	w.ok(pinned(pin))
	if err := pinned(other); !errors.Is(err, ErrPinned) {
		t.Errorf("got %v, want ErrPinned", err)
	}
	err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE receipt_pin SET held_until = 0`)
		return err
	})
	if err == nil {
		t.Error("the database lets a pin change")
	}
	w.settle()
	w.wantDonation("paid")
}

func TestR5_ADonationsReceiptSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		byBank bool
		reason string
	}{{true, string(ledger.ReasonChargeback)}, {false, ""}} {
		w := newWorld(t)
		w.donated()
		w.settle()
		w.wantDonation("paid")
		reverse := func(byBank bool) {
			w.do(func(ctx context.Context, tx *store.Tx) error {
				return w.repo.DonationReversed(ctx, tx, donation, byBank)
			})
		}
		reverse(c.byBank)
		reverse(!c.byBank) // the first reason stays
		w.settle()
		w.wantDonation("paid", "reversed")
		record, _ := w.read(lexicons.CollectionReceipt, lexicons.DerivedKey(donation))
		got := record.(*stratos.EscrowReceipt).Reason
		if (got == nil) != (c.reason == "") || got != nil && *got != c.reason {
			t.Errorf("by a bank %v: the reason is %v", c.byBank, got)
		}
	}
}

func TestDonation_IsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.donated()
	w.donated()
	if n := w.waiting().Records; n != 1 {
		t.Errorf("%d records wait", n)
	}
	for _, statement := range []string{
		`UPDATE donation SET amount = 1`, `UPDATE donation SET reversed_at = 1`, `DELETE FROM donation`, `UPDATE donation SET by_bank = 1`,
	} {
		err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		})
		if err == nil {
			t.Errorf("%s is done", statement)
		}
	}
	err := w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		there, err := w.repo.Donated(ctx, q, donation)
		if other, _ := w.repo.Donated(ctx, q, donation+"x"); !there || other {
			t.Errorf("donated: %v, another: %v", there, other)
		}
		return err
	})
	w.ok(err)
}

func TestTermsByKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce(someService, termsFile(t, numbers(), "The text."))
	err := w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		current, err := w.repo.CurrentTerms(ctx, q)
		if err != nil {
			return err
		}
		got, err := w.repo.TermsByKey(ctx, q, syntax.ATURI(current.Uri).RecordKey())
		if err != nil {
			return err
		}
		least, most, ok := got.Bounds("USD")
		if got.Ref != current || len(got.Text) == 0 || !ok || least <= 0 || most < least {
			t.Errorf("got %+v", got)
		}
		if _, _, ok := got.Bounds("XPF"); ok {
			t.Error("a currency that the terms do not have has bounds")
		}
		if _, err := w.repo.TermsByKey(ctx, q, "3lbqxkdzvqk2a"); !errors.Is(err, ErrNoTerms) {
			t.Errorf("%v, want ErrNoTerms", err)
		}
		return nil
	})
	w.ok(err)
}
