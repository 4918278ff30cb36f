package winddown

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/outgoing"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const amount = 2500

// world is an escrow beside a simulator, with campaigns of their own.
type world struct {
	*processortest.World
	sessions map[ledger.HoldID]payments.SessionID
	said     []string
}

func newWorld(t *testing.T, changes ...func(*simulator.Config)) *world {
	t.Helper()
	return &world{World: processortest.New(t, changes...), sessions: map[ledger.HoldID]payments.SessionID{}}
}

// development is another attempt for each name.
func development(name string) syntax.ATURI {
	return syntax.ATURI("at://" + processortest.Ann.String() + "/fund.stratos.work.development/" + name)
}

// opens a campaign of an attempt.
func (w *world) opens(name string) {
	w.T.Helper()
	of := func(collection string) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://" + processortest.Ann.String() + "/" + collection + "/" + name, Cid: processortest.CID}
	}
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return campaign.Add(ctx, tx, campaign.Campaign{
			Attempt: ledger.AttemptOf(development(name)), Development: of("fund.stratos.work.development"), Preview: of("fund.stratos.work.preview"),
			Proposal: of("fund.stratos.feature.proposal"), Terms: of("fund.stratos.escrow.terms"), Author: processortest.Ann, Title: "Larger text",
			Payees: []campaign.Payee{{DID: processortest.Ann, Share: 10_000, Account: w.Account}}, Currency: "USD", Fee: 500,
			OpensAt: w.Now(), ClosesAt: w.Now().AddDate(0, 0, 14), ReleaseBy: w.Now().AddDate(0, 0, 28), FinalAt: w.Now().AddDate(0, 0, 80),
		})
	})
}

// offered opens a hold and its page.
func (w *world) offered(name string, hold ledger.HoldID) payments.SessionID {
	w.T.Helper()
	value := money.Money{Amount: amount, Currency: "USD"}
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.OpenHold(ctx, tx, ledger.Checkout{
			Hold: hold, Pledge: processortest.PledgeOf(hold), CID: processortest.CID, Attempt: ledger.AttemptOf(development(name)), Value: value,
		})
	})
	session, err := w.Client.OpenCheckout(w.T.Context(), payments.Checkout{
		Key:    payments.Key("checkout/" + string(hold)),
		Mark:   payments.Mark{Escrow: processortest.Escrow, Subject: processortest.PledgeOf(hold), CID: processortest.CID, Attempt: development(name), Intent: payments.IntentID(hold)},
		Amount: value, Title: "Larger text", SuccessURL: "http://escrow.test/done", CancelURL: "http://escrow.test/back", ExpiresAt: w.Now().Add(time.Hour),
	})
	w.OK(err)
	w.sessions[hold] = session.ID
	return session.ID
}

// paid is offered, and somebody pays; the ledger hears of it.
func (w *world) paid(name string, hold ledger.HoldID, card string) {
	w.T.Helper()
	session := w.offered(name, hold)
	result, err := w.Control.Pay(w.T.Context(), string(session), simulator.Payment{Card: card})
	w.OK(err)
	if result.Outcome != "paid" {
		w.T.Fatalf("the payment was %s", result.Outcome)
	}
	w.OK(w.Observe(w.T.Context(), payments.Platform, session))
}

// desk ends sessions, and adopts them only where their campaign is known.
type desk struct{ *world }

func (d desk) Adopt(ctx context.Context, s payments.Session) error {
	err := d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		_, err := campaign.LoadByDevelopment(ctx, q, s.Mark.Attempt)
		return err
	})
	if errors.Is(err, campaign.ErrNotFound) {
		return fmt.Errorf("%w: the campaign of %s", ledger.ErrNotYet, s.ID)
	}
	if err != nil {
		return err
	}
	return d.World.Adopt(ctx, s)
}

func (d desk) Finish(ctx context.Context, attempt ledger.AttemptKey) (int, error) {
	for hold, session := range d.sessions {
		h, err := d.hold(ctx, hold)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && (h.Attempt != attempt || h.State != ledger.HoldPending) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if _, err := d.Client.ExpireSession(ctx, payments.Platform, session); err != nil && !errors.Is(err, payments.ErrRefused) {
			return 0, err
		}
		if err := d.Observe(ctx, payments.Platform, session); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func (w *world) hold(ctx context.Context, id ledger.HoldID) (h *ledger.Hold, err error) {
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		h, err = ledger.LoadHold(ctx, q, id)
		return err
	})
	return h, err
}

// winder is a new process.
func (w *world) winder(crash crashpoint.Hook, change func(*Parts)) *Winder {
	sender := outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.Client, outgoing.Options{Log: w.Log, Clock: w.Now, Crash: crash})
	parts := Parts{
		Escrow: processortest.Escrow, Store: w.Store, Ledger: w.Ledger, Processor: w.Client, Sender: sender, Checkouts: desk{w}, Log: w.Log,
		Intake: intake.New(intake.Parts{
			Escrow: processortest.Escrow, Store: w.Store, Ledger: w.Ledger, Processor: w.Client, Outgoing: sender, Checkouts: desk{w},
		}, intake.Options{Log: w.Log, Clock: w.Now}),
		Tell: func(s string) { w.said = append(w.said, s) },
	}
	if change != nil {
		change(&parts)
	}
	winder := New(parts)
	winder.wait = func(ctx context.Context, pause time.Duration) error {
		w.Advance(max(pause, time.Hour))
		return ctx.Err()
	}
	return winder
}

func (w *world) begin() {
	w.T.Helper()
	w.OK(Begin(w.T.Context(), w.Store, "the operator retires"))
}

// refunds are how much went back of each charge, at the processor.
func (w *world) refunds() map[payments.ChargeID][]int64 {
	w.T.Helper()
	out := map[payments.ChargeID][]int64{}
	for r, err := range w.Client.Refunds(w.T.Context(), payments.RefundQuery{}) {
		w.OK(err)
		if r.Status != payments.RefundFailed && r.Status != payments.RefundCanceled {
			out[r.Charge] = append(out[r.Charge], r.Amount.Amount)
		}
	}
	return out
}

// backOnce insists that all of each charge went back once, but for some of which nothing
// did.
func (w *world) backOnce(kept ...payments.ChargeID) {
	w.T.Helper()
	refunds, charges := w.refunds(), 0
	for c, err := range w.Client.Charges(w.T.Context(), payments.Platform, payments.ChargeQuery{}) {
		w.OK(err)
		charges++
		want := 1
		for _, id := range kept {
			if id == c.ID {
				want = 0
			}
		}
		if got := refunds[c.ID]; len(got) != want || want == 1 && got[0] != c.Amount.Amount {
			w.T.Errorf("of charge %s, %s, went back %v, want it %d times", c.ID, c.Amount, got, want)
		}
	}
	if charges == 0 {
		w.T.Error("there are no charges")
	}
}

func (w *world) phase(name string, want lifecycle.Phase) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		c, err := campaign.LoadByDevelopment(ctx, q, development(name))
		if err == nil && c.Phase != want {
			w.T.Errorf("%s is %s, want %s", name, c.Phase, want)
		}
		return err
	})
}

func TestRun_EverythingThatIsHeldGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	w.opens("second")
	w.paid("first", "h1", processortest.Pays)
	w.paid("first", "h2", processortest.RefundPends)
	w.paid("second", "h3", processortest.PaysAtOnce)
	open := w.offered("second", "h4")
	w.begin()
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.backOnce()
	w.Agree()
	for _, hold := range []ledger.HoldID{"h1", "h2", "h3"} {
		w.Want(hold, "refunded(wind-down)")
	}
	w.phase("first", lifecycle.PhaseRefunded)
	w.phase("second", lifecycle.PhaseRefunded)
	s, err := w.Client.Session(t.Context(), payments.Platform, open)
	w.OK(err)
	if s.Status != payments.SessionExpired {
		t.Errorf("what was offered is %s", s.Status)
	}
	said := strings.Join(w.said, "\n")
	for _, words := range []string{"2 pledges of 5000 USD go back", "0 held, 0 to go back, 0 on the way", "Everything that was held went back"} {
		if !strings.Contains(said, words) {
			t.Errorf("it never said %q:\n%s", words, said)
		}
	}
	// Again there is nothing to do.
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.backOnce()
}

func TestRun_GoesOnAfterADeathAtAnyMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.begin() // what follows was paid for pages that were open
	died := errors.New("died")
	for after := 1; ; after++ {
		name := fmt.Sprintf("attempt%d", after)
		w.opens(name)
		w.paid(name, ledger.HoldID(fmt.Sprintf("h%da", after)), processortest.Pays)
		w.paid(name, ledger.HoldID(fmt.Sprintf("h%db", after)), processortest.RefundPends)
		passed := 0
		err := w.winder(func(crashpoint.Point) error {
			if passed++; passed == after {
				return died
			}
			return nil
		}, nil).Run(t.Context())
		if err != nil && !errors.Is(err, died) {
			t.Fatalf("it died of something else at %d: %v", after, err)
		}
		w.OK(w.winder(nil, nil).Run(t.Context()))
		w.backOnce()
		if err == nil {
			if after < 4 {
				t.Errorf("only %d moments to die at", after)
			}
			w.Agree()
			return
		}
	}
}

func TestRun_SurvivesAProcessorThatLosesAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	for n := range 4 {
		w.paid("first", ledger.HoldID(fmt.Sprintf("h%d", n)), processortest.Pays)
	}
	w.begin()
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Seed: 7, Probability: map[simulator.Fault]float64{
		simulator.FaultErrorBefore: 0.1, simulator.FaultErrorAfter: 0.2,
	}}))
	for range 50 {
		err := w.winder(nil, nil).Run(t.Context())
		if err == nil {
			break
		}
		if !payments.Outside(err) {
			t.Fatal(err)
		}
	}
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{}))
	w.Fired(simulator.FaultErrorAfter)
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.backOnce()
	w.Agree()
}

func TestRun_ARefundThatComesBackIsLeftForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	w.paid("first", "h1", processortest.RefundFails)
	w.paid("first", "h2", processortest.Pays)
	w.begin()
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.Advance(40 * 24 * time.Hour) // banks send back what they cannot place, weeks later
	if err := w.winder(nil, nil).Run(t.Context()); !errors.Is(err, ErrLeft) {
		t.Errorf("it ended with %v", err)
	}
	w.Want("h1", "refund-failed(wind-down)")
	w.Want("h2", "refunded(wind-down)")
}

func TestR14_WhatWasSettledIsPaidOutAndNotRefunded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	w.opens("second")
	w.paid("first", "h1", processortest.PaysAtOnce)
	w.paid("first", "h2", processortest.Pays) // whose funds are there in some days
	w.paid("second", "h3", processortest.Pays)
	w.settles("first")
	w.begin()
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.Want("h1", "released")
	w.Want("h2", "released")
	w.Want("h3", "refunded(wind-down)")
	w.backOnce(payments.ChargeID(w.Hold("h1").Charge), payments.ChargeID(w.Hold("h2").Charge))
	w.phase("first", lifecycle.PhaseReleased)
	w.phase("second", lifecycle.PhaseRefunded)
}

// TestRun_APayeeWhoCannotBePaidIsLeftForAPerson: the end does not wait for him, and the
// campaign is not said to be over.
func TestRun_APayeeWhoCannotBePaidIsLeftForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	w.paid("first", "h1", processortest.PaysAtOnce)
	w.settles("first")
	w.OK(w.Control.Restrict(t.Context(), string(w.Account), "rejected.other"))
	w.begin()
	if err := w.winder(nil, nil).Run(t.Context()); !errors.Is(err, ErrLeft) {
		t.Fatalf("it ended with %v", err)
	}
	w.phase("first", lifecycle.PhaseSettling)
	w.Want("h1", "releasing")
	w.OK(w.Control.Complete(t.Context(), string(w.Account)))
	w.Advance(24 * time.Hour)
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.phase("first", lifecycle.PhaseReleased)
	w.Want("h1", "released")
}

// settles decides that Ann gets what an attempt holds, after verification.
func (w *world) settles(name string) {
	w.T.Helper()
	attempt := ledger.AttemptOf(development(name))
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE campaign SET phase = 'settling', pot = 0, release = 'at://release', release_cid = $1, accepted_at = $2, mirror = 'http://escrow.test/git/',
				verification_ends_at = $2, updated_at = $2
			WHERE attempt = $3`, processortest.CID, w.Now().UnixMilli(), attempt)
		if err != nil {
			return err
		}
		return w.Ledger.Settle(ctx, tx, ledger.Settlement{
			Attempt: attempt, Shares: []ledger.Share{{Payee: processortest.Ann, BasisPoints: 10_000}}, FeeBasisPoints: 500,
		})
	})
}

// TestRun_OnARestoredBackupTheProcessorsListsAreEnough is the drill: an old backup, no PDS,
// and a processor who knows what happened since.
func TestRun_OnARestoredBackupTheProcessorsListsAreEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	w.opens("settled")
	w.paid("first", "h1", processortest.Pays)
	w.paid("first", "h2", processortest.Pays)
	w.paid("settled", "h3", processortest.PaysAtOnce)
	w.paid("settled", "h4", processortest.PaysAtOnce)
	copied := filepath.Join(t.TempDir(), "copy.db")
	w.OK(w.Store.Backup(t.Context(), copied))

	// All of this is lost: a refund, a payment, a campaign with a payment, and a settlement
	// of which one transfer was sent.
	sender := outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.Client, outgoing.Options{Log: w.Log, Clock: w.Now})
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	_, err := sender.Pass(t.Context())
	w.OK(err)
	w.paid("first", "h5", processortest.Pays)
	w.opens("lost")
	w.paid("lost", "h6", processortest.Pays)
	w.settles("settled")
	_, err = sender.Pass(t.Context())
	w.OK(err)
	kept := []payments.ChargeID{payments.ChargeID(w.Hold("h3").Charge), payments.ChargeID(w.Hold("h4").Charge)}

	w.OK(w.Store.Close())
	w.Path = copied
	w.Open()
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return halt.Stop(ctx, tx, halt.Behind, "it was restored")
	})
	w.begin()
	// Transfers that the ledger never decided stop money until a person has looked.
	if err := w.winder(nil, nil).Run(t.Context()); !errors.Is(err, ErrStopped) {
		t.Fatalf("it ended with %v", err)
	}
	w.OK(Lift(t.Context(), w.Store, "it was looked at"))
	if err := w.winder(nil, nil).Run(t.Context()); !errors.Is(err, ErrLeft) {
		t.Fatalf("it ended with %v", err)
	}
	w.backOnce(kept...)
	w.Want("h1", "refunded(withdrawn)")
	w.Want("h2", "refunded(wind-down)")
	w.Want("h5", "refunded(wind-down)")
	w.Want("h6", "refunded(wind-down)")
	w.Want("h3", "held")
	w.Want("h4", "held")
	w.phase("first", lifecycle.PhaseRefunded)
	if said := strings.Join(w.said, "\n"); !strings.Contains(said, "were paid out in part or whole") || !strings.Contains(said, "was unknown here") {
		t.Errorf("it said:\n%s", said)
	}
}

// TestRun_AStrayThatWentBackGoesBackOnce: the campaign is lost, the payment and its refund
// as well, and the processor has forgotten the refund's key.
func TestRun_AStrayThatWentBackGoesBackOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	w.OK(w.Store.Backup(t.Context(), copied))
	w.opens("lost")
	w.paid("lost", "h1", processortest.RefundPends)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	_, err := outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.Client, outgoing.Options{Log: w.Log, Clock: w.Now}).Pass(t.Context())
	w.OK(err)
	w.Advance(25 * time.Hour)

	w.OK(w.Store.Close())
	w.Path = copied
	w.Open()
	w.begin()
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.backOnce()
	w.Want("h1", "refunded(wind-down)")
	w.Agree()
}

// TestRun_SendsNothingBesideNewsThatWasPutOff: what the processor does not tell now may be
// that the money went back already.
func TestRun_SendsNothingBesideNewsThatWasPutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	w.paid("first", "h1", processortest.RefundPends)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	copied := filepath.Join(t.TempDir(), "copy.db")
	w.OK(w.Store.Backup(t.Context(), copied))
	_, err := outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.Client, outgoing.Options{Log: w.Log, Clock: w.Now}).Pass(t.Context())
	w.OK(err)
	w.Advance(25 * time.Hour)

	w.OK(w.Store.Close())
	w.Path = copied
	w.Open()
	w.begin()
	unsaid := simulator.NextFault{Fault: simulator.FaultErrorBefore, On: "GET /v1/refunds/{id}"}
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Next: slices.Repeat([]simulator.NextFault{unsaid}, 3)}))
	if err := w.winder(nil, nil).Run(t.Context()); !payments.Outside(err) {
		t.Errorf("it ended with %v", err)
	}
	w.OK(w.winder(nil, nil).Run(t.Context()))
	w.backOnce()
	w.Want("h1", "refunded(withdrawn)")
	w.Agree()
}

// TestRun_LiftsOnlyWhatSomebodyCanHaveLookedAt: what stops money is lifted as it stood when
// somebody said so, and not what is found after that.
func TestRun_LiftsOnlyWhatSomebodyCanHaveLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens("first")
	w.paid("first", "h1", processortest.Pays)
	w.paid("first", "h2", processortest.Pays)
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return halt.Stop(ctx, tx, halt.UnknownMoney, "looked at")
	})
	w.begin()
	if err := w.winder(nil, nil).Run(t.Context()); !errors.Is(err, ErrStopped) {
		t.Fatalf("it ended with %v", err)
	}
	charge, err := w.Client.Charge(t.Context(), payments.Platform, payments.ChargeID(w.Hold("h1").Charge))
	w.OK(err)
	charge.Mark.Escrow = "did:plc:by-hand"
	_, err = w.Client.SendRefund(t.Context(), payments.RefundOrder{
		Key: "by-hand", Mark: charge.Mark, Charge: charge.ID, Amount: money.Money{Amount: 100, Currency: "USD"}, Reason: payments.RefundRequested,
	})
	w.OK(err)
	w.OK(Lift(t.Context(), w.Store, "it was looked at"))
	if err := w.winder(nil, nil).Run(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("it ended with %v", err)
	}
	if refunds := w.refunds(); len(refunds) != 1 {
		t.Errorf("beside what was made by hand went back %v", refunds)
	}
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		if len(standing) == 0 || slices.ContainsFunc(standing, func(h halt.Halt) bool { return h.Detail == "looked at" }) {
			t.Errorf("standing: %v", standing)
		}
		return err
	})
}

func TestBegin_IsForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.winder(nil, nil).Run(t.Context()); err == nil {
		t.Error("it ran before it was begun")
	}
	if err := Begin(t.Context(), w.Store, " "); err == nil {
		t.Error("it was begun without a reason")
	}
	w.begin()
	w.OK(Begin(t.Context(), w.Store, "another reason"))
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		because, since, ok, err := Begun(ctx, q)
		if because != "the operator retires" || !ok || !since.Equal(w.Now()) {
			t.Errorf("begun is %q, %s, %v", because, since, ok)
		}
		return err
	})
	for _, change := range []string{`DELETE FROM wind_down`, `UPDATE wind_down SET because = 'x'`} {
		err := w.Store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, change)
			return err
		})
		if err == nil {
			t.Errorf("the database let %q happen", change)
		}
	}
}
