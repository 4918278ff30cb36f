package attest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func TestStatement_SaysWhatTheReceiptsAndTheLedgerSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	topUp := w.movement(10_000)
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.ledger.Operator(ctx, tx, ledger.TopUp, topUp) })
	w.make() // of nothing
	w.publish()
	w.held(1, 2500)
	w.held(2, 1000)
	w.refunded(2, 1000)
	w.held(3, 700)
	w.refunding(3)
	w.held(4, 600)
	withdrawn := w.movement(-200) // which leaves 400 of it here
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.Chargeback(ctx, tx, ledger.DisputeObject{ID: "dp_h4", Hold: holdOf(4), Withdrawn: &withdrawn, State: ledger.ChargebackOpen})
	})
	donation := syntax.ATURI("at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.donation/3lbqxkdzvqk2a")
	w.do(func(ctx context.Context, tx *store.Tx) error {
		if err := w.repo.PinReceipt(ctx, tx, w.pin(donation)); err != nil {
			return err
		}
		return w.repo.DonationPaid(ctx, tx, repo.Donation{Subject: donation, CID: someCID, Value: money.Money{Amount: 400, Currency: "USD"}})
	})
	w.publish()
	w.make()
	w.publish()
	list := w.holds()
	if len(list) != 2 || list[0].Record.Receipts != 0 || list[0].Record.Leaves != nil {
		t.Fatalf("%d statements, the first %+v", len(list), list)
	}
	got := list[1].Record
	var head ledger.Head
	w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		head, err = w.ledger.HeadOf(ctx, q)
		return err
	}))
	none := int64(0)
	want := stratos.EscrowStatement{
		LexiconTypeID: got.LexiconTypeID, AsOf: got.AsOf, CreatedAt: got.CreatedAt, Root: got.Root, Prev: got.Prev, Test: got.Test,
		Receipts: 5, Unpublished: &none,
		Owed:       []stratos.EscrowStatement_Owed{{Development: w.pin("").Development.Uri, Amount: 3600, Currency: "USD", Receipts: 3}},
		Refunded:   []stratos.Defs_Total{{Amount: 1000, Currency: "USD"}},
		Float:      []stratos.Defs_Balance{{Amount: 10_000, Currency: "USD"}},
		LedgerHead: stratos.EscrowStatement_Head{Sequence: head.Sequence, Hash: hex.EncodeToString(head.Hash[:])},
	}
	got.Leaves = nil // what they say was compared
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the statement (-want +got):\n%s", diff)
	}
	if !*got.Test || got.AsOf <= list[0].Record.AsOf {
		t.Errorf("test %v, as of %s after %s", *got.Test, got.AsOf, list[0].Record.AsOf)
	}
}

// What waits in the outbox is counted as the ledger has it, said to wait, and published
// before the statement is.
func TestStatement_IsPublishedAfterTheReceiptsThatItCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held(1, 2500)
	w.publish()
	w.held(2, 1000)
	w.refunding(1)
	w.make()
	// Between the statement and its publication it goes on: the version that was counted is
	// never in the repository.
	taken := w.movement(-2500)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.Refund(ctx, tx, ledger.RefundObject{ID: "re_1", Hold: holdOf(1), Amount: 2500, Status: ledger.RefundSucceeded, Taken: &taken})
	})
	w.held(3, 300)
	w.publish()
	list := w.holds()
	if len(list) != 1 || *list[0].Record.Unpublished != 2 || list[0].Record.Receipts != 2 || list[0].Record.Owed[0].Amount != 3500 {
		t.Errorf("the statements are %+v", list)
	}
}

// A receipt that cannot be published does not keep the statement back, and what it owes
// does not get lost.
func TestStatement_CountsWhatNoReceiptSpeaksOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held(1, 2500)
	w.advance(time.Minute)
	w.ok(w.charge(t.Context(), 2, 900, false)) // nobody pinned it
	// And a pledge that was paid twice: its receipt speaks of the second payment.
	twice := money.Money{Amount: 500, Currency: "USD"}
	first, second := w.movement(500), w.movement(500)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		if err := w.repo.PinReceipt(ctx, tx, w.pin(pledgeOf(3))); err != nil {
			return err
		}
		for _, hold := range []ledger.HoldID{"h3", "h3-again"} {
			if err := w.ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: hold, Pledge: pledgeOf(3), CID: someCID, Attempt: attempt, Value: twice}); err != nil {
				return err
			}
			if hold == "h3" {
				if err := w.ledger.VoidHold(ctx, tx, hold); err != nil {
					return err
				}
			}
		}
		if err := w.ledger.Charge(ctx, tx, ledger.Charged{Hold: "h3-again", Charge: "ch_3_again", Transaction: second}); err != nil {
			return err
		}
		return w.ledger.Charge(ctx, tx, ledger.Charged{Hold: "h3", Charge: "ch_3", Transaction: first})
	})
	w.publish()
	w.make()
	w.publish()
	list := w.holds()
	if len(list) != 1 {
		t.Fatalf("%d statements", len(list))
	}
	got := list[0].Record
	if diff := cmp.Diff([]stratos.Defs_Total{{Amount: 900 + 500, Currency: "USD"}}, got.Unreceipted); diff != "" || *got.Unpublished != 1 || got.Owed[0].Amount != 3000 {
		t.Errorf("owed is %+v, %d are not published, beside the receipts (-want +got):\n%s", got.Owed, *got.Unpublished, diff)
	}
}

// A process that dies at any moment leaves no half of a statement, no two of one moment, and
// none in the repository whose receipts are not there.
func TestStatement_SurvivesADeathAtAnyMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for after := 1; ; after++ {
		w.held(2*after, 2500)
		w.publish()
		before, _ := w.statements()
		w.refunding(2 * after)
		w.held(2*after+1, 1000)
		passed, died := 0, errors.New("died")
		w.start(func(crashpoint.Point) error {
			if passed++; passed == after {
				return died
			}
			return nil
		})
		w.advance(time.Minute)
		_, err := w.maker.Make(t.Context())
		for range 3 {
			if err == nil {
				_, err = w.pub.Pass(t.Context())
				w.advance(time.Second)
			}
		}
		if err != nil && !errors.Is(err, died) {
			t.Fatalf("it died of something else at %d: %v", after, err)
		}
		w.holds() // as it is
		w.start(nil)
		w.publish()
		w.make()
		w.publish()
		if list := w.holds(); len(list)-len(before) != 1 && len(list)-len(before) != 2 {
			t.Errorf("dead at %d: %d statements, and %d before", after, len(list), len(before))
		}
		if err == nil {
			if after < 10 {
				t.Errorf("only %d moments to die at", after)
			}
			return
		}
	}
}

// Payments that arrive while a statement is made are in it or not; nothing contradicts it
// either way.
func TestStatement_OfABusyEscrowHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mu.Lock()
	w.clock = time.Now() // many things happen in a millisecond
	began := w.clock
	w.mu.Unlock()
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for worker := range 3 {
		busy.Go(func() {
			for n := 1; n <= 15; n++ {
				id := worker*100 + n
				w.mu.Lock()
				w.clock = began.Add(time.Since(began))
				w.mu.Unlock()
				err := w.charge(context.WithoutCancel(t.Context()), id, 100, true)
				if err == nil && n%2 == 0 {
					err = w.store.Update(context.WithoutCancel(t.Context()), func(ctx context.Context, tx *store.Tx) error {
						return w.ledger.DecideRefund(ctx, tx, holdOf(id), ledger.ReasonWithdrawn)
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { busy.Wait(); close(stop) }()
	made := 0
	for done := false; !done; {
		select {
		case <-stop:
			done = true
		default:
		}
		if _, err := w.maker.Make(t.Context()); err == nil {
			made++
		} else if !errors.Is(err, ErrTooSoon) {
			t.Fatal(err)
		}
	}
	w.publish()
	if list := w.holds(); len(list) != made || made < 2 {
		t.Errorf("%d statements of %d", len(list), made)
	}
}

func TestMake_StatesAMomentOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.make()
	if _, err := w.maker.Make(t.Context()); !errors.Is(err, ErrTooSoon) {
		t.Errorf("the same moment again: %v", err)
	}
	w.advance(-time.Hour)
	if _, err := w.maker.Make(t.Context()); !errors.Is(err, ErrTooSoon) {
		t.Errorf("a moment before it: %v", err)
	}
	wait, err := w.maker.Pass(t.Context())
	if err != nil || wait != daily {
		t.Errorf("it waits %s, %v", wait, err)
	}
	w.advance(time.Hour + daily - time.Millisecond)
	if wait, err = w.maker.Pass(t.Context()); err != nil || wait != time.Millisecond {
		t.Errorf("a moment before a day is over it waits %s, %v", wait, err)
	}
	w.advance(time.Millisecond)
	_, err = w.maker.Pass(t.Context())
	w.ok(err)
	w.publish()
	if list := w.holds(); len(list) != 2 {
		t.Errorf("%d statements after a day", len(list))
	}
}

// A database that was restored goes on with the chain of what it published.
func TestStatement_OfARestoredDatabaseFollowsTheLastOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held(1, 2500)
	w.make()
	w.publish()
	copied := w.path + ".copy"
	w.ok(w.store.Backup(t.Context(), copied))
	lost := w.make()
	w.make()
	w.publish()

	w.path = copied
	w.start(nil)
	for range 2 { // again is nothing
		w.ok(w.pub.RestoreStatements(t.Context()))
	}
	var kept repo.Stated
	w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		if kept, err = w.repo.Statement(ctx, q, lost.URI.RecordKey()); err != nil {
			return err
		}
		leaves, err := w.repo.Leaves(ctx, q, lost.URI.RecordKey())
		if len(leaves) != 1 {
			err = fmt.Errorf("%d leaves, %w", len(leaves), err)
		}
		return err
	}))
	if kept.CID != lost.CID {
		t.Errorf("kept is %s, lost was %s", kept.CID, lost.CID)
	}
	w.make()
	w.publish()
	keys, list := w.statements()
	if len(list) != 4 || list[3].Record.Prev.Uri != "at://"+w.account.DID.String()+"/"+lexicons.CollectionStatement.String()+"/"+keys[2].String() {
		t.Fatalf("the chain is %v, the last follows %v", keys, list[len(list)-1].Record.Prev)
	}
	w.holds()
}

func TestR17_TheDatabaseRefusesToChangeAStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held(1, 2500)
	w.make()
	for _, change := range []string{
		`UPDATE statement SET record = x'00'`, `UPDATE statement SET as_of = as_of + 1`, `UPDATE statement SET leaves = x'00'`, `DELETE FROM statement`,
		`INSERT INTO statement (rkey, record, leaves, as_of) SELECT rkey || 'a', record, leaves, as_of FROM statement`,
		`INSERT INTO statement (rkey, record, leaves, as_of) SELECT '2' || rkey, record, leaves, as_of + 1 FROM statement`,
	} {
		err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, change)
			return err
		})
		if err == nil {
			t.Errorf("the database let %q happen", change)
		}
	}
}
