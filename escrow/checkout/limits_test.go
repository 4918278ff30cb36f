package checkout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

func newBackers(most int64) func(*repo.Terms) {
	return func(t *repo.Terms) { t.Currencies[0].NewBackerMaximum = &most }
}

func newBackersTogether(most int64) func(*repo.Terms) {
	return func(t *repo.Terms) { t.Currencies[0].NewBackersMaximum = &most }
}

func newDevelopers(most int64) func(*repo.Terms) {
	return func(t *repo.Terms) { t.Currencies[0].NewDeveloperMaximum = &most }
}

func withdrawals(most int64) func(*repo.Terms) {
	return func(t *repo.Terms) { t.WithdrawalsPerMonth = &most }
}

// member is one of many accounts.
func member(n int) syntax.DID { return syntax.DID(fmt.Sprintf("did:plc:%024d", n)) }

// paid lets somebody pay for a pledge.
func (w *world) paid(subject comatproto.RepoStrongRef) Payment {
	w.t.Helper()
	p, err := w.Begin(w.t.Context(), ownOf(subject), subject, backURL)
	w.ok(err)
	session := w.agreed(p)
	w.pay(session)
	w.observe(session)
	return p
}

// held is what an attempt holds.
func (w *world) held(attempt ledger.AttemptKey) (sum int64) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		s, err := ledger.StateOf(ctx, q, attempt)
		sum = s.Held
		return err
	})
	return sum
}

// release pays out what an attempt holds, and says so.
func (w *world) release(development syntax.ATURI) {
	w.t.Helper()
	attempt := ledger.AttemptOf(development)
	var holds []ledger.HeldHold
	w.read(func(ctx context.Context, q sqlite.Querier) (err error) {
		holds, err = ledger.HeldOf(ctx, q, attempt, 0, 100)
		return err
	})
	w.do(func(ctx context.Context, tx *store.Tx) error {
		settlement := ledger.Settlement{Attempt: attempt, Shares: []ledger.Share{{Payee: developer, BasisPoints: 10_000}}, FeeBasisPoints: 500}
		if err := w.Ledger.Settle(ctx, tx, settlement); err != nil {
			return err
		}
		for _, h := range holds {
			amount, err := w.Ledger.RequestTransfer(ctx, tx, h.ID, developer)
			if err != nil {
				return err
			}
			err = w.Ledger.Transfer(ctx, tx, ledger.TransferObject{
				ID: "tr_" + string(h.ID), Hold: h.ID, Payee: developer, Settled: true,
				Created: ledger.Transaction{ID: "txn_tr_" + string(h.ID), Amount: -amount, Currency: "USD"},
			})
			if err != nil {
				return err
			}
		}
		for _, phase := range []lifecycle.Phase{lifecycle.PhaseSettling, lifecycle.PhaseReleased} {
			_, err := tx.ExecContext(ctx, `
				UPDATE campaign SET phase = $1, pot = 0, release = 'at://' || author || '/fund.stratos.work.release/3lbqxkdzvqk2a',
					release_cid = $2, accepted_at = closes_at, mirror = 'https://escrow.example/git/a', verification_ends_at = release_by
				WHERE attempt = $3`, phase, someCID, attempt)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// chargedBack lets the banks of all payers of an attempt take the money for good.
func (w *world) chargedBack(holds []ledger.HoldID) {
	w.t.Helper()
	for _, id := range holds {
		h := w.holdOf(id)
		w.do(func(ctx context.Context, tx *store.Tx) error {
			return w.Ledger.Chargeback(ctx, tx, ledger.DisputeObject{
				ID: "dp_" + string(id), Hold: id, State: ledger.ChargebackLost,
				Withdrawn: &ledger.Transaction{ID: "txn_dp_" + string(id), Amount: -h.Value.Amount, Fee: 1500, Currency: "USD"},
			})
		})
	}
}

// lost is what chargebacks cost, without the processor's fees.
func (w *world) lost() (sum int64) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT coalesce(sum(balance), 0) FROM account WHERE kind = 'chargeback-loss'`).Scan(&sum)
	})
	return sum
}

func TestLimits_ANewBackerHasNoMoreAtStakeThanTheTermsAllow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newBackers(6000))
	w.paid(w.pledge(1, 2500))
	w.begin(w.pledge(2, 2500)) // what is only offered counts
	_, err := w.Begin(t.Context(), backer, w.pledge(3, 1001), backURL)
	refused(t, err, LimitReached)
	last := w.begin(w.pledge(4, 1000))
	_, err = w.Begin(t.Context(), backer, w.pledge(5, 100), backURL)
	refused(t, err, LimitReached)

	// An offer that ends makes room, and so does what went back.
	if _, err := w.end(t.Context(), last, EndingExpired); err != nil {
		t.Fatal(err)
	}
	w.begin(w.pledge(6, 1000))
	// Others have limits of their own.
	if _, err := w.Begin(t.Context(), member(1), w.by(member(1)), backURL); err != nil {
		t.Error(err)
	}
	// What is pledged at once, from everywhere, is bounded as well.
	var together sync.WaitGroup
	for n := range 8 {
		subject := w.pledge(int64(10+n), 900)
		together.Go(func() {
			_, err := w.Begin(context.WithoutCancel(t.Context()), backer, subject, backURL)
			if _, ok := errors.AsType[*Refusal](err); err != nil && !ok {
				t.Error(err)
			}
		})
	}
	together.Wait()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		sum, err := atStakeOf(ctx, q, backer, "USD")
		if sum > 6000 {
			t.Errorf("%d are at stake", sum)
		}
		return err
	})
}

// One account with a stolen card pledges as much as it can, is paid out, and then the bank
// takes all of it back.
func TestLimits_ABankTakesNoMoreOfANewBackerThanTheTermsAllow(t *testing.T) {
	t.Parallel()
	const limit = 6000
	w := newWorld(t, newBackers(limit))
	var holds []ledger.HoldID
	for n := range int64(8) {
		subject := w.pledge(n+1, 1700-100*n)
		p, err := w.Begin(t.Context(), backer, subject, backURL)
		if err != nil {
			refused(t, err, LimitReached)
			continue
		}
		session := w.agreed(p)
		w.pay(session)
		w.observe(session)
		holds = append(holds, p.ID)
	}
	w.release(developmentURI)
	w.chargedBack(holds)
	if got := w.lost(); got > limit || got <= limit-1700 {
		t.Errorf("the bank took %d, and the limit is %d", got, limit)
	}
}

func TestLimits_ABackerWithAReleasedPledgeIsNotNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newBackers(2500), newBackersTogether(2500))
	p := w.paid(w.pledge(1, 2500))
	w.release(developmentURI)
	next := syntax.ATURI("at://" + developer.String() + "/fund.stratos.work.development/3l6ovf2k7dk2c")
	w.campaign(campaign.Campaign{Development: ref(next, someCID)})
	w.begin(w.pledge(2, 50_000, on(next)))
	// A bank that takes it back makes the backer a new one.
	w.chargedBack([]ledger.HoldID{p.ID})
	_, err := w.Begin(t.Context(), backer, w.pledge(3, 2600, on(next)), backURL)
	refused(t, err, LimitReached)
}

func TestLimits_ANewDeveloperHasNoMoreAtStakeThanTheTermsAllow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDevelopers(6000))
	w.paid(w.by(member(1)))
	// Another attempt of the same people is bounded together with the first.
	next := syntax.ATURI("at://" + developer.String() + "/fund.stratos.work.development/3l6ovf2k7dk2c")
	w.campaign(campaign.Campaign{Development: ref(next, someCID), Proposal: ref(otherProposalURI, someCID)})
	other := func(n, amount int64) comatproto.RepoStrongRef {
		return w.pledge(n, amount, on(next), set("proposal", map[string]any{"uri": otherProposalURI.String(), "cid": someCID}))
	}
	w.begin(other(1, 3000))
	_, err := w.Begin(t.Context(), member(2), w.by(member(2)), backURL)
	refused(t, err, LimitReached)
	_, err = w.Begin(t.Context(), backer, other(2, 501), backURL)
	refused(t, err, LimitReached)
	w.begin(other(3, 500))
	// One completed attempt ends the limit, for its author and its payees.
	w.release(developmentURI)
	w.begin(other(4, 50_000))
}

// A ring of accounts with stolen cards pledges to an accomplice, is paid out, and then all
// of the banks take the money back, and nothing comes back from the accomplice.
func TestLimits_ARingOfStolenCardsTakesNoMoreThanTheLimits(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	for name, terms := range map[string]func(*repo.Terms){
		"by what new backers may pledge together": newBackersTogether(limit), "by what a new developer may get": newDevelopers(limit),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terms)
			var holds []ledger.HoldID
			for n := range 12 {
				subject := w.by(member(n))
				p, err := w.Begin(t.Context(), member(n), subject, backURL)
				if err != nil {
					refused(t, err, LimitReached)
					continue
				}
				session := w.agreed(p)
				w.pay(session)
				w.observe(session)
				holds = append(holds, p.ID)
			}
			if got := w.held(ledger.AttemptOf(developmentURI)); got != limit || len(holds) != limit/2500 {
				t.Fatalf("%d are held of %d pledges, want %d", got, len(holds), limit)
			}
			w.release(developmentURI)
			w.chargedBack(holds)
			if got := w.lost(); got != limit {
				t.Errorf("the ring took %d, want what the limit allows, %d", got, limit)
			}
		})
	}
}

func TestLimits_WithdrawalsCostNoMoreThanTheTermsAllow(t *testing.T) {
	t.Parallel()
	const most = 3
	w := newWorld(t, withdrawals(most))
	float := func() (own int64) {
		w.read(func(ctx context.Context, q sqlite.Querier) error {
			p, err := ledger.PositionIn(ctx, q, "USD")
			own = p.Own
			return err
		})
		return own
	}
	before, taken := float(), int64(0)
	takeBack := func(p Payment) {
		w.remove(p.Subject)
		w.do(func(ctx context.Context, tx *store.Tx) error {
			return w.Ledger.DecideRefund(ctx, tx, p.ID, ledger.ReasonWithdrawn)
		})
		taken++
	}
	// However the two are mixed, no more can be taken back within a month.
	first := w.paid(w.pledge(1, 2500))
	takeBack(first)
	second, third := w.paid(w.pledge(2, 2500)), w.paid(w.pledge(3, 2500))
	_, err := w.Begin(t.Context(), backer, w.pledge(4, 2500), backURL)
	refused(t, err, LimitReached)
	takeBack(second)
	takeBack(third)
	_, err = w.Begin(t.Context(), backer, w.pledge(5, 2500), backURL)
	refused(t, err, LimitReached)
	cost, err := DefaultCosts().Of(second.Value)
	w.ok(err)
	if spent := before - float(); taken != most || spent <= 0 || spent > most*cost {
		t.Errorf("%d withdrawals cost %d, want at most %d", taken, spent, most*cost)
	}
	// A month later it begins anew, in a campaign that is open then.
	w.advance(month + time.Minute)
	next := syntax.ATURI("at://" + developer.String() + "/fund.stratos.work.development/3l6ovf2k7dk2c")
	w.do(func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE campaign SET phase = 'refunding', reason = 'not-released' WHERE phase = 'open'`); err != nil {
			return err
		}
		c, err := campaign.Load(ctx, tx, ledger.AttemptOf(developmentURI))
		if err != nil {
			return err
		}
		c.Development, c.Attempt = ref(next, someCID), ledger.AttemptOf(next)
		c.OpensAt, c.ClosesAt = tx.Now().Add(-time.Hour), tx.Now().Add(10*24*time.Hour)
		c.ReleaseBy, c.FinalAt = c.ClosesAt.Add(14*24*time.Hour), c.ClosesAt.Add(60*24*time.Hour)
		return campaign.Add(ctx, tx, c)
	})
	w.begin(w.pledge(6, 2500, on(next)))
}

func TestR10_TestTermsOfMinutesTakePaymentsAndCloseInTime(t *testing.T) {
	t.Parallel()
	const margin = 20
	w := newWorld(t, func(t *repo.Terms) {
		seconds := int64(margin)
		t.PreviewSeconds.Minimum, t.CheckoutMarginSeconds = 60, &seconds
	})
	next := syntax.ATURI("at://" + developer.String() + "/fund.stratos.work.development/3l6ovf2k7dk2c")
	ends := began.Add(3 * time.Minute)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		c, err := campaign.Load(ctx, tx, ledger.AttemptOf(developmentURI))
		if err != nil {
			return err
		}
		c.Development, c.Attempt, c.Proposal = ref(next, someCID), ledger.AttemptOf(next), ref(otherProposalURI, someCID)
		c.OpensAt, c.ClosesAt = began, ends
		return campaign.Add(ctx, tx, c)
	})
	pledge := func(n int64) comatproto.RepoStrongRef {
		return w.pledge(n, 2500, on(next), set("proposal", map[string]any{"uri": otherProposalURI.String(), "cid": someCID}))
	}
	paid := w.paid(pledge(1))
	slow := w.begin(pledge(2))
	session := w.agreed(slow)
	w.advance(3*time.Minute - margin*time.Second)
	_, err := w.Begin(t.Context(), backer, pledge(3), backURL)
	refused(t, err, CampaignClosing)
	w.advance(margin * time.Second)
	// The processor's page would stand for half an hour: the closing ends it.
	open, err := w.Finish(t.Context(), ledger.AttemptOf(next))
	w.ok(err)
	s, err := w.stripe.Session(t.Context(), payments.Platform, session)
	w.ok(err)
	if open != 0 || s.Status != payments.SessionExpired || w.holdOf(slow.ID).State != ledger.HoldVoided {
		t.Errorf("%d payments are open, the page is %s, the hold %s", open, s.Status, w.holdOf(slow.ID).State)
	}
	if h := w.holdOf(paid.ID); h.State != ledger.HoldPosted {
		t.Errorf("what was paid in time is %s", h.State)
	}
}
