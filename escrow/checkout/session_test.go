package checkout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// sessions are all that the processor has.
func (w *world) sessions() (list []payments.Session) {
	w.t.Helper()
	for s, err := range w.stripe.Sessions(w.t.Context(), payments.Platform, payments.SessionQuery{}) {
		w.ok(err)
		list = append(list, s)
	}
	return list
}

func TestConfirm_OpensOneSessionForWhatWasAgreed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	for _, other := range []string{"", "at://did:plc:x/fund.stratos.escrow.terms/3l6ovf2k7dk2a"} {
		if _, err := w.Confirm(t.Context(), p.ID, other); !errors.Is(err, ErrTerms) {
			t.Errorf("agreed to %q: %v", other, err)
		}
	}
	first, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri)
	w.ok(err)
	w.advance(time.Minute)
	again, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri)
	w.ok(err)
	if first == "" || first != again {
		t.Errorf("pages %q and %q", first, again)
	}
	list := w.sessions()
	if len(list) != 1 {
		t.Fatalf("%d sessions", len(list))
	}
	s := list[0]
	want := payments.Mark{Escrow: escrowDID, Subject: p.Subject, CID: p.CID, Attempt: p.Development, Intent: payments.IntentID(p.ID)}
	if s.Mark != want || s.Amount != p.Value || !s.ExpiresAt.Equal(began.Add(sessionLife)) {
		t.Errorf("the session is %+v", s)
	}
	if _, err := w.Confirm(t.Context(), "nobody's", p.Terms.Uri); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown payment: %v", err)
	}
}

// TestConfirm_ALostAnswerIsFound: the processor did it, and nobody heard.
func TestConfirm_ALostAnswerIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.call = func(call string) error {
		if call == "opened" {
			return errAway
		}
		return nil
	}
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrBusy) {
		t.Fatalf("%v, want ErrBusy", err)
	}
	w.restart()
	w.agreed(p)
	if list := w.sessions(); len(list) != 1 {
		t.Errorf("%d sessions", len(list))
	}
}

func TestConfirm_WhatTheProcessorRefusesIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.call = func(string) error { return &payments.Failure{Kind: payments.ErrRefused, Code: "no"} }
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrOver) {
		t.Errorf("%v, want ErrOver", err)
	}
	w.want(p.ID, StateEnded, EndingRefused, StatusFailed)
	w.call = nil
	if again := w.begin(w.pledge(1, 2500)); again.ID == p.ID {
		t.Error("the refused payment is offered again")
	}
}

func TestR10_NoConfirmationWhenTheCampaignIsClosing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock = closes.Add(-lifecycle.CheckoutMargin - time.Minute)
	p := w.begin(w.pledge(1, 2500))
	w.clock = closes.Add(-lifecycle.CheckoutMargin)
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrOver) {
		t.Errorf("%v, want ErrOver", err)
	}
	w.clock = began
	q := w.begin(w.pledge(2, 2500))
	w.phase(lifecycle.PhaseClosed)
	if _, err := w.Confirm(t.Context(), q.ID, q.Terms.Uri); !errors.Is(err, ErrOver) {
		t.Errorf("%v, want ErrOver", err)
	}
}

func TestR10_ASessionEndsBeforeTheClosing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.advance(closes.Sub(began) - lifecycle.CheckoutMargin - time.Second)
	w.agreed(w.begin(w.pledge(1, 2500)))
	if s := w.sessions()[0]; s.ExpiresAt.After(closes) {
		t.Errorf("the session ends at %s, the campaign at %s", s.ExpiresAt, closes)
	}
}

func TestConfirm_StandsStillWhileHalted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.halted = errors.New("the books are being checked")
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	if len(w.sessions()) != 0 {
		t.Error("a session was opened")
	}
}

func TestObserve_APaidSessionIsHeldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	session := w.agreed(p)
	w.observe(session)
	w.want(p.ID, StateOpen, EndingNone, StatusOpen)
	w.pay(session)
	for range 3 {
		w.observe(session)
		w.ok(w.Glance(t.Context(), p.ID))
	}
	w.want(p.ID, StatePaid, EndingNone, "held")
	h := w.holdOf(p.ID)
	if h.State != ledger.HoldPosted || h.Balances[ledger.KindHeld] != 2500 {
		t.Errorf("the hold is %+v", h)
	}
	var cost int64
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT balance FROM account WHERE kind = 'processing-cost'`).Scan(&cost)
	})
	if cost != 103 { // 2.9 % and 30 cents
		t.Errorf("the processor took %d", cost)
	}
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrOver) {
		t.Errorf("it can be paid once more: %v", err)
	}
}

// TestGlance_AsksNowAndThen: a page may be loaded as often as anybody likes.
func TestGlance_AsksNowAndThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.agreed(p)
	asked := 0
	w.call = func(string) error {
		asked++
		w.ok(w.Glance(t.Context(), p.ID)) // somebody speaks to the processor
		return nil
	}
	for n, wait := range []time.Duration{0, glanceEvery - 1, 1, glanceEvery} {
		w.clock = w.clock.Add(wait)
		w.ok(w.Glance(t.Context(), p.ID))
		if want := []int{1, 1, 2, 3}[n]; asked != want {
			t.Errorf("%d. after %s it was asked %d times, want %d", n, wait, asked, want)
		}
	}
}

// TestLocks_ArePassedByWhoWentAway: whoever hung up waits for nothing any more.
func TestLocks_ArePassedByWhoWentAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	unlock, err := w.locks.lock(t.Context(), p.ID)
	w.ok(err)
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan error)
	for range mostQueued {
		go func() {
			_, err := w.Confirm(ctx, p.ID, p.Terms.Uri)
			ended <- err
		}()
	}
	for w.locks.of(p.ID).queued.Load() < mostQueued {
		time.Sleep(time.Millisecond)
	}
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrBusy) {
		t.Errorf("behind all of them it is %v", err)
	}
	hangUp()
	for range mostQueued {
		if err := <-ended; !errors.Is(err, ErrBusy) || !errors.Is(err, context.Canceled) {
			t.Errorf("who hung up gets %v", err)
		}
	}
	unlock()
	w.agreed(p)
}

func TestObserve_WhatIsNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := func(escrow syntax.DID, intent payments.IntentID) payments.SessionID {
		s, err := w.stripe.OpenCheckout(t.Context(), payments.Checkout{
			Key:    payments.Key("foreign/" + string(intent) + escrow.String()),
			Mark:   payments.Mark{Escrow: escrow, Subject: pledgeURI(1), CID: someCID, Attempt: developmentURI, Intent: intent},
			Amount: money.Money{Amount: 2500, Currency: "USD"}, Title: "x", SuccessURL: "https://x.example.org", CancelURL: "https://x.example.org", ExpiresAt: began.Add(time.Hour),
		})
		w.ok(err)
		return s.ID
	}
	for _, id := range []payments.SessionID{foreign(proposer, "theirs"), foreign(escrowDID, "lost")} {
		if err := w.Observe(t.Context(), payments.Platform, id); !errors.Is(err, ErrForeign) {
			t.Errorf("%v, want ErrForeign", err)
		}
	}
	if err := w.Glance(t.Context(), "lost"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	p := w.begin(w.pledge(1, 2500))
	w.agreed(p)
	if err := w.Observe(t.Context(), payments.Platform, foreign(escrowDID, payments.IntentID(p.ID))); !errors.Is(err, payments.ErrDoubled) {
		t.Errorf("a second session of one payment: %v, want ErrDoubled", err)
	}
	if err := w.Observe(t.Context(), payments.Platform, "cs_test_Simulatornone"); !errors.Is(err, payments.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

// TestR10_WhatIsPaidLateGoesBack: the session was believed dead, or the campaign closed.
func TestR10_WhatIsPaidLateGoesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		phase lifecycle.Phase
		why   ledger.Reason
	}{
		"after the closing": {lifecycle.PhaseClosed, ledger.ReasonLate},
		"in time, and heard of when everybody's goes back": {lifecycle.PhaseRefunding, ledger.ReasonCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.begin(w.pledge(1, 2500))
			session := w.agreed(p)
			w.pay(session)
			w.phase(c.phase)
			w.observe(session)
			w.want(p.ID, StatePaid, EndingNone, "refunding")
			w.left(p, c.why)
		})
	}
	t.Run("after its hold was voided", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.begin(w.pledge(1, 2500))
		session := w.agreed(p)
		w.do(func(ctx context.Context, tx *store.Tx) error { return w.void(ctx, tx, p, EndingExpired) })
		next := w.begin(w.pledge(1, 2500))
		w.pay(session)
		w.observe(session)
		w.want(p.ID, StateEnded, EndingExpired, "refunding")
		w.left(p, ledger.ReasonLate)
		w.want(next.ID, StateOpen, EndingNone, StatusOpen)
	})
}

// left wants all of a payment to go back for this reason.
func (w *world) left(p Payment, why ledger.Reason) {
	w.t.Helper()
	h := w.holdOf(p.ID)
	if h.State != ledger.HoldVoided || h.Exit == nil || h.Exit.Reason != why || h.Balances[ledger.KindRefundDue] != p.Value.Amount {
		w.t.Errorf("the hold is %+v, its exit %+v", h, h.Exit)
	}
}

// TestR9_ADeletedPledgeThatWasPaidGoesBack: it was paid before its session could be ended.
func TestR9_ADeletedPledgeThatWasPaidGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.pay(w.agreed(p))
	w.remove(p.Subject)
	w.advance(2 * time.Minute)
	w.lookAround()
	w.want(p.ID, StatePaid, EndingWithdrawn, "refunding")
	w.left(p, ledger.ReasonWithdrawn)
}

// TestObserve_AChargeThatWentBackBeforeAnybodyLookedIsPosted: the money came and went,
// and the ledger says so. Whether it may have gone, whoever looks at refunds decides.
func TestObserve_AChargeThatWentBackBeforeAnybodyLookedIsPosted(t *testing.T) {
	t.Parallel()
	for name, refunded := range map[string]int64{"all of it": 2500, "a part": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.begin(w.pledge(1, 2500))
			session := w.agreed(p)
			w.pay(session)
			charge := *w.session1(session).Payment.Charge
			_, err := w.stripe.SendRefund(t.Context(), payments.RefundOrder{
				Key: "elsewhere", Mark: p.mark(escrowDID), Charge: charge.ID, Reason: payments.RefundRequested,
				Amount: money.Money{Amount: refunded, Currency: p.Value.Currency},
			})
			w.ok(err)
			for range 2 {
				w.observe(session)
				w.want(p.ID, StatePaid, EndingNone, "held")
			}
			if h := w.holdOf(p.ID); h.Charge != string(charge.ID) || h.Exit != nil {
				t.Errorf("posted: %+v", h)
			}
		})
	}
}

// TestObserve_ASessionWhoseAgreementWasForgottenIsThePayments: so nobody opens a second one.
func TestObserve_ASessionWhoseAgreementWasForgottenIsThePayments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	forgotten := p
	forgotten.ExpiresAt = w.now().Add(sessionLife).Truncate(time.Second)
	order := w.order(forgotten)
	order.Key = "checkout/of-a-life-before"
	made, err := w.stripe.OpenCheckout(t.Context(), order)
	w.ok(err)
	w.observe(made.ID)
	if got := w.agreed(p); got != made.ID || len(w.sessions()) != 1 {
		t.Errorf("the payer is sent to %s of %d sessions, and not to %s", got, len(w.sessions()), made.ID)
	}
	w.pay(made.ID)
	w.observe(made.ID)
	w.want(p.ID, StatePaid, EndingNone, "held")
}

// TestAdopt_EndsTheOlderOfferThatTheDatabaseRemembers: in the life that was forgotten it had
// ended, and the newer one was paid.
func TestAdopt_EndsTheOlderOfferThatTheDatabaseRemembers(t *testing.T) {
	t.Parallel()
	for _, agreed := range []bool{false, true} {
		w := newWorld(t)
		older := w.begin(w.pledge(1, 2500))
		if agreed {
			w.agreed(older)
		}
		newer := older
		newer.ID, newer.ExpiresAt = "newer", w.now().Add(sessionLife).Truncate(time.Second)
		order := w.order(newer)
		order.Key = "checkout/newer"
		made, err := w.stripe.OpenCheckout(t.Context(), order)
		w.ok(err)
		w.pay(made.ID)
		w.ok(w.Adopt(t.Context(), w.session1(made.ID)))
		w.observe(made.ID)
		w.want("newer", StatePaid, EndingNone, "held")
		if p := w.payment(older.ID); p.State != StateEnded {
			t.Errorf("the older offer is %s", p.State)
		}
	}
}

func (w *world) session1(id payments.SessionID) payments.Session {
	w.t.Helper()
	s, err := w.stripe.Session(w.t.Context(), payments.Platform, id)
	w.ok(err)
	return s
}

// TestObserve_AnotherAmountOrCurrencyIsNotPosted: the processor says something else than
// what was agreed.
func TestObserve_AnotherAmountOrCurrencyIsNotPosted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lie  func(*payments.Session)
		want payments.Reason
	}{
		"less":                   {func(s *payments.Session) { s.Payment.Received.Amount = 1 }, payments.ReasonAmount},
		"more":                   {func(s *payments.Session) { s.Amount.Amount = 25_000 }, payments.ReasonAmount},
		"another currency":       {func(s *payments.Session) { s.Amount.Currency = "JPY" }, payments.ReasonCurrency},
		"converted":              {func(s *payments.Session) { s.Converted = true }, payments.ReasonConverted},
		"converted on the way":   {func(s *payments.Session) { s.Payment.Charge.Movement.Converted = true }, payments.ReasonConverted},
		"real money":             {func(s *payments.Session) { s.Live = true }, payments.ReasonMode},
		"for another version":    {func(s *payments.Session) { s.Payment.Mark.CID = someCID }, payments.ReasonMark},
		"of another attempt":     {func(s *payments.Session) { s.Payment.Group = "another" }, payments.ReasonGroup},
		"not by card":            {func(s *payments.Session) { s.Payment.Charge.Method = "bank" }, payments.ReasonMethod},
		"on another one's books": {func(s *payments.Session) { s.Account = "acct_1" }, payments.ReasonAccount},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.begin(w.pledge(1, 2500))
			session := w.agreed(p)
			w.pay(session)
			w.change = c.lie
			err := w.Observe(t.Context(), payments.Platform, session)
			if rejected, ok := errors.AsType[*payments.Rejection](err); !ok || rejected.Reason != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if h := w.holdOf(p.ID); h.Charge != "" || h.State != ledger.HoldPending {
				t.Errorf("posted: %+v", h)
			}
		})
	}
}

// TestPass_WhatIsProcessedIsAskedForAgain: complete, and its charge is not there yet.
func TestPass_WhatIsProcessedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	session := w.agreed(p)
	w.pay(session)
	w.change = func(s *payments.Session) { s.Payment.Charge.Movement = nil }
	w.observe(session)
	w.want(p.ID, StateProcessing, EndingNone, StatusProcessing)
	_, err := w.Begin(t.Context(), backer, w.pledge(1, 2500), backURL)
	refused(t, err, AlreadyPaid)
	w.advance(lookEvery)
	w.lookAround()
	w.want(p.ID, StateProcessing, EndingNone, StatusProcessing)
	w.change = nil
	w.advance(longestPause)
	w.lookAround()
	w.want(p.ID, StatePaid, EndingNone, "held")
}

// TestObserve_ASessionThatCameTooLateIsEnded: its order had been given up.
func TestObserve_ASessionThatCameTooLateIsEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.call = func(call string) error {
		if call == "open" {
			return errAway
		}
		return nil
	}
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrBusy) {
		t.Fatalf("%v, want ErrBusy", err)
	}
	if _, err := w.end(t.Context(), p, EndingExpired); err != nil {
		t.Fatal(err)
	}
	w.want(p.ID, StateEnded, EndingExpired, StatusExpired)
	w.call = nil
	order := w.order(w.payment(p.ID))
	order.Key = payments.Key("checkout/" + string(p.ID))
	late, err := w.stripe.OpenCheckout(t.Context(), order)
	w.ok(err)
	w.observe(late.ID)
	if s := w.session1(late.ID); s.Status != payments.SessionExpired {
		t.Errorf("the session is %s", s.Status)
	}
}

func TestPass_EndsWhatIsOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		confirmed bool
		happens   func(*world, Payment)
		want      Ending
	}{
		"nobody came back":                   {false, func(w *world, _ Payment) { w.advance(offerLife) }, EndingExpired},
		"agreed and never paid":              {true, func(w *world, _ Payment) { w.advance(sessionLife) }, EndingExpired},
		"edited":                             {false, func(w *world, _ Payment) { w.pledge(1, 5000) }, EndingEdited},
		"edited after agreeing":              {true, func(w *world, _ Payment) { w.pledge(1, 5000) }, EndingEdited},
		"deleted":                            {false, func(w *world, p Payment) { w.remove(p.Subject) }, EndingWithdrawn},
		"deleted after agreeing":             {true, func(w *world, p Payment) { w.remove(p.Subject) }, EndingWithdrawn},
		"the campaign closed":                {false, func(w *world, _ Payment) { w.phase(lifecycle.PhaseClosed) }, EndingClosed},
		"the campaign closed after agreeing": {true, func(w *world, _ Payment) { w.phase(lifecycle.PhaseRefunding) }, EndingClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.begin(w.pledge(1, 2500))
			if c.confirmed {
				w.agreed(p)
			}
			c.happens(w, p)
			w.advance(lookEvery)
			w.lookAround()
			w.want(p.ID, StateEnded, c.want, StatusExpired)
			if h := w.holdOf(p.ID); h.State != ledger.HoldVoided {
				t.Errorf("the hold is %s", h.State)
			}
			for _, s := range w.sessions() {
				if s.Status != payments.SessionExpired {
					t.Errorf("a session is %s", s.Status)
				}
			}
		})
	}
}

// TestPass_ALostWebhookHeals: nobody tells that it was paid.
func TestPass_ALostWebhookHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.pay(w.agreed(p))
	w.advance(sessionLife)
	w.lookAround()
	w.want(p.ID, StatePaid, EndingExpired, "held")
}

func TestF5_AHiddenAccountEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	w.unproven = proof.ErrUnavailable
	w.advance(5 * time.Minute)
	w.lookAround()
	w.want(p.ID, StateOpen, EndingNone, StatusOpen)
}

func TestPass_WithoutTheProcessorNothingIsVoided(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	session := w.agreed(p)
	w.call = func(string) error { return errAway }
	w.advance(sessionLife)
	for range 5 {
		w.lookAround()
		w.clock = w.clock.Add(longestPause)
	}
	if h := w.holdOf(p.ID); h.State != ledger.HoldPending {
		t.Fatalf("the hold is %s, and nobody knows what its session is", h.State)
	}
	w.call = nil
	w.lookAround()
	w.want(p.ID, StateEnded, EndingExpired, StatusExpired)
	if s := w.session1(session); s.Status != payments.SessionExpired {
		t.Errorf("the session is %s", s.Status)
	}
}

func TestFinish_LeavesNothingUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	offered, agreed, paid := w.begin(w.pledge(1, 2500)), w.begin(w.pledge(2, 2500)), w.begin(w.pledge(3, 2500))
	w.agreed(agreed)
	w.pay(w.agreed(paid))
	attempt := ledger.AttemptOf(developmentURI)

	w.call = func(string) error { return errAway }
	if open, err := w.Finish(t.Context(), attempt); err != nil || open != 2 {
		t.Fatalf("%d open, %v; want the two with sessions", open, err)
	}
	w.call = nil
	if open, err := w.Finish(t.Context(), attempt); err != nil || open != 0 {
		t.Fatalf("%d open, %v", open, err)
	}
	w.want(offered.ID, StateEnded, EndingClosed, StatusExpired)
	w.want(agreed.ID, StateEnded, EndingClosed, StatusExpired)
	w.want(paid.ID, StatePaid, EndingClosed, "held")
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.DecideRefunds(ctx, tx, attempt, ledger.ReasonCancelled) // which wants none pending
	})
	if open, err := w.Finish(t.Context(), "another"); err != nil || open != 0 {
		t.Errorf("%d open of another attempt, %v", open, err)
	}
}

func TestSettle_ADeclinedCardMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	session := w.agreed(p)
	result, err := w.control.Pay(t.Context(), string(session), simulator.Payment{Card: "4000000000000002"})
	w.ok(err)
	if result.Outcome != "declined" {
		t.Fatalf("the payment was %s", result.Outcome)
	}
	w.observe(session)
	w.want(p.ID, StateOpen, EndingNone, StatusOpen)
	w.pay(session)
	w.observe(session)
	w.want(p.ID, StatePaid, EndingNone, "held")
}

// errCrashed is how a process dies in tests.
var errCrashed = errors.New("the process died")

// TestCrash_OneChargeWhereverTheProcessDies lets the process die at each point that a
// payment passes, once and again, and then lets the payer and the clock go on.
func TestCrash_OneChargeWhereverTheProcessDies(t *testing.T) {
	t.Parallel()
	points := []crashpoint.Point{
		crashpoint.BeforeCommit, crashpoint.AfterCommit, crashpoint.AfterOffer, crashpoint.AfterAgreement,
		crashpoint.BeforeSend, crashpoint.AfterSend, crashpoint.BeforeCharge,
	}
	for _, point := range points {
		for nth := 1; nth <= 3; nth++ {
			t.Run(fmt.Sprint(point, " ", nth), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				subject := w.pledge(1, 2500)
				passed := 0
				w.crash = func(p crashpoint.Point) error {
					if p == point {
						if passed++; passed == nth {
							return errCrashed
						}
					}
					return nil
				}
				var session payments.SessionID
				// A payer who tries again whenever something breaks.
				err := w.untilDone(func() error {
					p, err := w.Begin(t.Context(), backer, subject, backURL)
					if err != nil {
						return err
					}
					if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); err != nil {
						return err
					}
					session = w.payment(p.ID).Session
					return nil
				})
				w.ok(err)
				w.pay(session)
				w.ok(w.untilDone(func() error { return w.Observe(t.Context(), payments.Platform, session) }))
				if passed < nth && nth == 1 {
					t.Errorf("%s is never passed", point)
				}
				var held, holds, charges int
				w.read(func(ctx context.Context, q sqlite.Querier) error {
					return q.QueryRowContext(ctx, `
						SELECT (SELECT count(*) FROM hold WHERE state = 'posted'), (SELECT count(*) FROM hold),
							(SELECT count(*) FROM entry WHERE kind = 'charge')`).Scan(&held, &holds, &charges)
				})
				if held != 1 || holds != 1 || charges != 1 {
					t.Errorf("%d held of %d holds, %d charges", held, holds, charges)
				}
				if list := w.sessions(); len(list) != 1 {
					t.Errorf("%d sessions", len(list))
				}
			})
		}
	}
}

// TestCrash_AnEndingIsFinished lets the process die while an offer ends.
func TestCrash_AnEndingIsFinished(t *testing.T) {
	t.Parallel()
	for _, point := range []crashpoint.Point{crashpoint.BeforeCommit, crashpoint.AfterCommit, crashpoint.AfterEnding, crashpoint.AfterAgreement, crashpoint.BeforeSend, crashpoint.AfterSend} {
		for nth := 1; nth <= 3; nth++ {
			t.Run(fmt.Sprint(point, " ", nth), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				p := w.begin(w.pledge(1, 2500))
				passed := 0
				w.crash = func(at crashpoint.Point) error {
					if at == point {
						if passed++; passed == nth {
							return errCrashed
						}
					}
					return nil
				}
				if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); errors.Is(err, errCrashed) || w.broken(err) {
					w.restart()
				}
				w.remove(p.Subject)
				w.advance(lookEvery)
				w.ok(w.untilDone(func() error { _, err := w.Pass(t.Context()); return err }))
				w.want(p.ID, StateEnded, EndingWithdrawn, StatusExpired)
				if h := w.holdOf(p.ID); h.State != ledger.HoldVoided {
					t.Errorf("the hold is %s", h.State)
				}
				for _, s := range w.sessions() {
					if s.Status == payments.SessionOpen {
						t.Error("a session can be paid")
					}
				}
			})
		}
	}
}

// broken tells whether an error is the end of a process.
func (w *world) broken(err error) bool {
	return errors.Is(err, errCrashed) || errors.Is(err, store.ErrBroken)
}

// untilDone does something again, each time in a new process when the last one died.
func (w *world) untilDone(act func() error) (err error) {
	for range 6 {
		if err = act(); err == nil {
			return nil
		}
		if !w.broken(err) {
			return err
		}
		w.restart()
	}
	return err
}

func TestList_NewestFirstAndOwnOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []ledger.HoldID
	for n := range int64(5) {
		p := w.begin(w.pledge(n+1, 2500))
		want = append(want, p.ID)
		if n != 2 { // two of one moment
			w.advance(time.Second)
		}
	}
	var got []ledger.HoldID
	var after *Place
	for {
		page, err := w.List(t.Context(), backer, after, 2)
		w.ok(err)
		if len(page) == 0 {
			break
		}
		for _, v := range page {
			got = append(got, v.ID)
			after = &Place{v.CreatedAt, v.ID}
		}
	}
	slices.Sort(want)
	ordered := slices.Sorted(slices.Values(got))
	if !slices.Equal(want, ordered) || got[4] == "" {
		t.Errorf("got %v, want %v", got, want)
	}
	if other, err := w.List(t.Context(), proposer, nil, 10); err != nil || len(other) != 0 {
		t.Errorf("%v, %v: of somebody else", other, err)
	}
	if _, err := w.Get(t.Context(), proposer, want[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's payment: %v", err)
	}
	if v, err := w.Get(t.Context(), backer, want[0]); err != nil || v.Receipt != "" || v.Status != StatusOpen {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestPayment_IdsCannotBeGuessed(t *testing.T) {
	t.Parallel()
	seen := map[ledger.HoldID]bool{}
	for range 1000 {
		id := newID()
		if seen[id] || len(id) < 26 || len(id) > 64 || strings.Trim(string(id), "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Fatalf("the id %q", id)
		}
		seen[id] = true
	}
}
