package checkout

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/simulator"
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
