package checkout

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/winddown"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

func donationURI(n int64, of syntax.DID) syntax.ATURI {
	return syntax.ATURI("at://" + of.String() + "/fund.stratos.feature.donation/" + string(syntax.NewTID(n, 0)))
}

// donation is somebody's record for the work in development.
func (w *world) donation(of syntax.DID, amount int64, change ...func(map[string]any)) comatproto.RepoStrongRef {
	w.t.Helper()
	record := map[string]any{
		"proposal":    map[string]any{"uri": proposalURI.String(), "cid": someCID},
		"development": map[string]any{"uri": donatedURI.String(), "cid": someCID},
		"value":       map[string]any{"amount": amount, "currency": "USD"}, "escrow": escrowDID.String(),
	}
	for _, f := range change {
		f(record)
	}
	return ref(donationURI(1, of), w.sign(donationURI(1, of), record))
}

// account opens an account at the processor, which is ready if it is said to be.
func (w *world) account(did syntax.DID, ready bool) {
	w.t.Helper()
	a, err := w.stripe.OpenAccount(w.t.Context(), payments.AccountOrder{
		Key: payments.Key("account/" + did.String()), Country: "US", Donations: true,
		Mark: payments.PayeeMark{Escrow: escrowDID, Payee: did, Intent: payments.IntentID(did)},
	})
	w.ok(err)
	if ready {
		w.ok(w.control.Complete(w.t.Context(), string(a.ID)))
	}
	w.accounts[did] = a.ID
}

func donationRefusals() []struct {
	name string
	want RefusalName
	wish func(*world) comatproto.RepoStrongRef
} {
	plain := func(w *world) comatproto.RepoStrongRef { return w.donation(backer, 2500) }
	with := func(of syntax.DID, change ...func(map[string]any)) func(*world) comatproto.RepoStrongRef {
		return func(w *world) comatproto.RepoStrongRef {
			w.account(developer, true)
			return w.donation(of, 2500, change...)
		}
	}
	return []struct {
		name string
		want RefusalName
		wish func(*world) comatproto.RepoStrongRef
	}{
		{"without an account", PayeeNotReady, plain},
		{"with an account that is not ready", PayeeNotReady, func(w *world) comatproto.RepoStrongRef {
			w.account(developer, false)
			return plain(w)
		}},
		{"an unknown proposal", DevelopmentNotFound, with(backer, set("proposal", map[string]any{"uri": proposalURI.String()[:len(proposalURI)-1] + "a", "cid": someCID}))},
		{"an unknown work", DevelopmentNotFound, with(backer, on(developmentURI[:len(developmentURI)-1]+"c"))},
		{"work of somebody who may not", DevelopmentNotFound, func(w *world) comatproto.RepoStrongRef {
			stranger := syntax.ATURI("at://" + proposer.String() + "/fund.stratos.work.development/3l6ovf2k7dk2a")
			w.sign(stranger, map[string]any{
				"proposal": map[string]any{"uri": proposalURI.String(), "cid": someCID}, "title": "Mine", "summary": "All of it.",
				"currency": "USD", "escrow": escrowDID.String(),
			})
			w.indexes(proposer)
			return w.donation(backer, 2500, on(stranger))
		}},
		{"work that is not the current one", DonationsClosed, with(backer, on(developmentURI))},
		{"another currency", CurrencyMismatch, with(backer, value(2500, "JPY"))},
		{"more than the terms allow", AmountOutOfRange, with(backer, value(100_001, "USD"))},
		{"to oneself", NotEligible, with(developer)},
		{"by a maintainer", NotEligible, with(maintainer)},
		{"another escrow", WrongEscrow, with(backer, set("escrow", proposer.String()))},
		{"donated before", AlreadyPaid, func(w *world) comatproto.RepoStrongRef {
			subject := with(backer)(w)
			w.donate(w.begin(subject))
			return subject
		}},
	}
}

func TestR5_RefusalsOfDonations(t *testing.T) {
	t.Parallel()
	for _, c := range donationRefusals() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			subject := c.wish(w)
			_, err := w.Begin(t.Context(), ownOf(subject), subject, backURL)
			refused(t, err, c.want)
		})
	}
}

// donate pays on the processor's page.
func (w *world) donate(p Payment) payments.SessionID {
	w.t.Helper()
	session := w.agreed(p)
	result, err := w.control.Pay(w.t.Context(), string(session), simulator.Payment{})
	w.ok(err)
	if result.Outcome != "paid" {
		w.t.Fatalf("the donation was %s", result.Outcome)
	}
	w.ok(w.Observe(w.t.Context(), p.Account, session))
	return session
}

func (w *world) waiting() (n int64) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		waiting, err := w.Repo.Waiting(ctx, q)
		n = waiting.Records
		return err
	})
	return n
}

func TestR5_ADonationGoesStraightToTheDeveloper(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	waited := w.waiting()
	session := w.donate(p)
	w.want(p.ID, StatePaid, EndingNone, "paid")
	w.ok(w.Observe(t.Context(), p.Account, session)) // told twice
	if n := w.waiting(); n != waited+1 {
		t.Errorf("%d records wait to be published instead of %d", n, waited+1)
	}
	// None of it is ours.
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		var entries, holds int
		err := q.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM entry WHERE kind = 'charge'), (SELECT count(*) FROM hold)`).Scan(&entries, &holds)
		if entries != 0 || holds != 0 {
			t.Errorf("%d entries, %d holds", entries, holds)
		}
		return err
	})
	balance, err := w.stripe.Balance(t.Context())
	w.ok(err)
	for _, m := range append(balance.Available, balance.Pending...) {
		if m.Amount != 0 {
			t.Errorf("the platform has %s of it", m)
		}
	}
}

func TestDonation_ThatABankTookBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	donatedTo := func(want ...payments.AccountID) {
		t.Helper()
		if got, err := w.DonatedTo(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("donated to %v (%v), want %v", got, err, want)
		}
	}
	donatedTo()
	session := w.donate(p)
	donatedTo(p.Account)
	w.ok(w.DonationReversed(t.Context(), p.Account, payments.IntentID(p.ID), true))
	donatedTo()
	w.ok(w.DonationReversed(t.Context(), p.Account, payments.IntentID(p.ID), false))
	w.want(p.ID, StateReversed, EndingNone, "reversed")
	w.ok(w.Observe(t.Context(), p.Account, session)) // which says that it was paid, as ever
	w.want(p.ID, StateReversed, EndingNone, "reversed")
	for name, c := range map[string]struct {
		account payments.AccountID
		intent  payments.IntentID
	}{
		"nobody's":              {p.Account, "nobody's"},
		"told of another one's": {"acct_other", payments.IntentID(p.ID)},
		"a pledge":              {payments.Platform, payments.IntentID(w.begin(w.pledge(1, 2500)).ID)},
	} {
		if err := w.DonationReversed(t.Context(), c.account, c.intent, true); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v, want ErrForeign", name, err)
		}
	}
}

func TestR5_DonationsEndWithDevelopment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	w.agreed(p)
	w.sign(syntax.ATURI("at://"+developer.String()+"/fund.stratos.work.cancellation/3l6ovf2k7dk2b"), map[string]any{
		"development": map[string]any{"uri": donatedURI.String(), "cid": someCID},
	})
	w.indexes(developer)
	w.advance(2 * time.Minute)
	w.lookAround()
	w.want(p.ID, StateEnded, EndingClosed, StatusExpired)
}

// TestR5_ADonationIsPaidOnAnAccountOfAnotherCurrency: the processor converts what comes to
// the developer, and that is nothing that stops the escrow's own money.
func TestR5_ADonationIsPaidOnAnAccountOfAnotherCurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	w.ok(w.control.Settle(t.Context(), string(w.accounts[developer]), "eur"))
	p := w.begin(w.donation(backer, 2500))
	session, waited := w.donate(p), w.waiting()
	w.want(p.ID, StatePaid, EndingNone, "paid")
	converted := false
	w.change = func(s *payments.Session) { converted = s.Payment.Charge.Movement.Converted }
	w.ok(w.Observe(t.Context(), p.Account, session))
	if !converted || waited == 0 || len(w.alarms) > 0 {
		t.Errorf("converted: %v; %d receipts wait; alarms: %q", converted, waited, w.alarms)
	}
}

// TestDonation_ThatDoesNotFitEndsAndStopsNothing: what is on somebody else's account is not
// our money, whatever they do there.
func TestDonation_ThatDoesNotFitEndsAndStopsNothing(t *testing.T) {
	t.Parallel()
	shorter := func(s *payments.Session) {
		if s.Payment != nil && s.Payment.Charge != nil {
			s.Payment.Charge.Amount.Amount--
		}
	}
	otherMark := func(s *payments.Session) { s.Mark.CID = "bafyreibroken" }
	for name, c := range map[string]struct {
		change func(*payments.Session)
		look   func(*world, Payment) error
	}{
		"told by the processor": {shorter, func(w *world, p Payment) error { return w.Observe(t.Context(), p.Account, p.Session) }},
		"on the page":           {shorter, func(w *world, p Payment) error { return w.Glance(t.Context(), p.ID) }},
		"when it is over": {shorter, func(w *world, _ Payment) error {
			w.advance(sessionLife)
			_, err := w.Pass(t.Context())
			return err
		}},
		"when all is over": {shorter, func(w *world, p Payment) error {
			open, err := w.Finish(t.Context(), p.Attempt)
			if open > 0 {
				t.Errorf("%d are open", open)
			}
			return err
		}},
		"agreed to again": {otherMark, func(w *world, p Payment) error {
			if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrOver) {
				t.Errorf("agreed to again it is %v", err)
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.account(developer, true)
			p := w.begin(w.donation(backer, 2500))
			w.pay(w.agreed(p))
			p = w.payment(p.ID)
			w.change = c.change
			w.ok(c.look(w, p))
			if p = w.payment(p.ID); p.State != StateEnded || len(w.alarms) > 0 {
				t.Errorf("it is %s %s; alarms: %q", p.State, p.Ending, w.alarms)
			}
			w.ok(w.Observe(t.Context(), p.Account, p.Session)) // told again
			if donated, err := w.DonatedTo(t.Context()); err != nil || len(donated) > 0 {
				t.Errorf("donated to %v, %v", donated, err)
			}
		})
	}
}

// TestDonation_WhoseMarkWasTakenAwayEndsNoProcess: who owns an account may change what lies
// there, also while the escrow waits for a payment.
func TestDonation_WhoseMarkWasTakenAwayEndsNoProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	w.pay(w.agreed(p))
	w.change = func(s *payments.Session) { s.Payment.Charge.Movement = nil }
	w.ok(w.Glance(t.Context(), p.ID))
	w.want(p.ID, StateProcessing, EndingNone, StatusProcessing)
	w.change = func(s *payments.Session) { s.Mark = payments.Mark{} }
	w.advance(2 * lookEvery)
	w.lookAround()
	w.want(p.ID, StateEnded, EndingUnfit, StatusFailed)
	if len(w.alarms) > 0 {
		t.Errorf("alarms: %q", w.alarms)
	}
}

// TestDonation_OfWhichAnAccountShowsASecondSession: only we open sessions with our marks, but
// an account that is not ours may show what it likes.
func TestDonation_OfWhichAnAccountShowsASecondSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p, pledge := w.begin(w.donation(backer, 2500)), w.begin(w.pledge(1, 2500))
	w.agreed(p)
	open := func(mark payments.Mark) payments.SessionID {
		s, err := w.stripe.OpenCheckout(t.Context(), payments.Checkout{
			Key: payments.Key("again/" + mark.Intent), Mark: mark, Account: p.Account, Amount: p.Value, Title: "x",
			SuccessURL: backURL, CancelURL: backURL, ExpiresAt: w.now().Add(sessionLife),
		})
		w.ok(err)
		return s.ID
	}
	for name, mark := range map[string]payments.Mark{"a donation": p.mark(escrowDID), "a pledge": pledge.mark(escrowDID)} {
		if err := w.Observe(t.Context(), p.Account, open(mark)); !errors.Is(err, ErrForeign) {
			t.Errorf("another session of %s: %v", name, err)
		}
	}
	w.want(p.ID, StateOpen, EndingNone, StatusOpen)
	w.want(pledge.ID, StateOpen, EndingNone, StatusOpen)
	if len(w.alarms) > 0 {
		t.Errorf("alarms: %q", w.alarms)
	}
}

// TestDonation_MayBeOfferedAgainUntilItIsPaid: the page of an offer that is over says so.
func TestDonation_MayBeOfferedAgainUntilItIsPaid(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world, comatproto.RepoStrongRef) comatproto.RepoStrongRef{
		"after its time": func(w *world, subject comatproto.RepoStrongRef) comatproto.RepoStrongRef {
			w.advance(2 * time.Hour)
			w.lookAround()
			return subject
		},
		"edited": func(w *world, _ comatproto.RepoStrongRef) comatproto.RepoStrongRef {
			w.advance(time.Minute)
			return w.donation(backer, 3000)
		},
		"under other terms": func(w *world, subject comatproto.RepoStrongRef) comatproto.RepoStrongRef {
			w.advance(2 * time.Hour)
			w.lookAround()
			w.announce([]func(*repo.Terms){func(t *repo.Terms) { t.Text = []byte("Be kinder.\n") }})
			return subject
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.account(developer, true)
			subject := w.donation(backer, 2500)
			w.agreed(w.begin(subject))
			subject = change(w, subject)
			p := w.begin(subject)
			w.donate(p)
			w.want(p.ID, StatePaid, EndingNone, "paid")
			w.read(func(ctx context.Context, q sqlite.Querier) error {
				pin, err := w.Repo.PinOf(ctx, q, p.Subject)
				if pin.Terms != w.terms.Ref || p.Terms != pin.Terms {
					t.Errorf("agreed to %s, and the receipt says %s", p.Terms.Uri, pin.Terms.Uri)
				}
				return err
			})
			_, err := w.Begin(t.Context(), backer, subject, backURL)
			refused(t, err, AlreadyPaid)
		})
	}
}

// silence is a processor of which nothing is heard, and to which nothing has to be sent.
type silence struct{}

func (silence) Sync(context.Context, bool) ([]intake.Read, error)    { return nil, nil }
func (silence) Drain(context.Context) error                          { return nil }
func (silence) Insist(context.Context) error                         { return nil }
func (silence) Pass(context.Context) (wait time.Duration, err error) { return 0, nil }

// TestWindDown_DoesNotWaitForADonationThatNobodyCanFinish: the account that it goes to may
// never answer again.
func TestWindDown_DoesNotWaitForADonationThatNobodyCanFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	w.agreed(p)
	w.campaign(campaign.Campaign{Development: ref(donatedURI, someCID), Proposal: ref(otherProposalURI, someCID)})
	w.call = func(string) error { return errAway }
	w.ok(winddown.Begin(t.Context(), w.Store, "the operator retires"))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than it waits before it looks again
	defer cancel()
	w.ok(winddown.New(winddown.Parts{
		Escrow: escrowDID, Store: w.Store, Ledger: w.Ledger, Processor: w.stripe, Intake: silence{}, Checkouts: w.Desk, Sender: silence{}, CaughtUp: true,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}).Run(ctx))
	w.want(p.ID, StateOpen, EndingClosed, StatusExpired)
}

// TestDonation_ThatWasOrderedTwiceIsOver: which of two sessions it is that nobody was shown,
// the account's owner may know.
func TestDonation_ThatWasOrderedTwiceIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	w.call = func(call string) error {
		if call == "opened" {
			return errAway
		}
		return nil
	}
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrBusy) {
		t.Fatalf("the answer was not lost: %v", err)
	}
	w.call = nil
	order := w.order(w.payment(p.ID))
	order.Key = "again"
	_, err := w.stripe.OpenCheckout(t.Context(), order)
	w.ok(err)
	if _, err := w.Confirm(t.Context(), p.ID, p.Terms.Uri); !errors.Is(err, ErrOver) {
		t.Errorf("agreed to again it is %v", err)
	}
	w.want(p.ID, StateEnded, EndingUnfit, StatusFailed)
	if len(w.alarms) > 0 {
		t.Errorf("alarms: %q", w.alarms)
	}
}

// TestFinish_DoesNotWaitForDonations: they hold nothing, and their accounts are not ours.
func TestFinish_DoesNotWaitForDonations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	w.agreed(p)
	w.call = func(string) error { return errAway }
	if open, err := w.Finish(t.Context(), p.Attempt); err != nil || open != 0 {
		t.Errorf("%d are open, %v", open, err)
	}
	w.call = nil
	w.lookAround()
	w.advance(time.Minute)
	w.lookAround()
	w.want(p.ID, StateEnded, EndingClosed, StatusExpired)
}

func TestDonation_ThatTheDeveloperSentBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(developer, true)
	p := w.begin(w.donation(backer, 2500))
	session := w.donate(p)
	for _, c := range []struct {
		refunded int64
		state    State
		status   Status
	}{{1000, StatePaid, "paid"}, {2500, StateReversed, "reversed"}} {
		w.change = func(s *payments.Session) { s.Payment.Charge.Refunded.Amount = c.refunded }
		w.ok(w.Observe(t.Context(), p.Account, session))
		w.want(p.ID, c.state, EndingNone, c.status)
	}
}
