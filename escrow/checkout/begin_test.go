package checkout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func set(field string, value any) func(map[string]any) {
	return func(r map[string]any) { r[field] = value }
}

func value(amount any, currency string) func(map[string]any) {
	return set("value", map[string]any{"amount": amount, "currency": currency})
}

func on(development syntax.ATURI) func(map[string]any) {
	return set("development", map[string]any{"uri": development.String(), "cid": someCID})
}

// by is a pledge of somebody else.
func (w *world) by(did syntax.DID) comatproto.RepoStrongRef {
	uri := syntax.ATURI("at://" + did.String() + "/fund.stratos.feature.pledge/3lbqxkdzvqk2a")
	return ref(uri, w.sign(uri, map[string]any{
		"proposal":    map[string]any{"uri": proposalURI.String(), "cid": someCID},
		"development": map[string]any{"uri": developmentURI.String(), "cid": someCID},
		"value":       map[string]any{"amount": 2500, "currency": "USD"}, "escrow": escrowDID.String(),
	}))
}

func ownOf(r comatproto.RepoStrongRef) syntax.DID {
	return syntax.DID(syntax.ATURI(r.Uri).Authority().String())
}

// pledgeRefusals has a line for each reason not to take a pledge.
func pledgeRefusals() []struct {
	name   string
	want   RefusalName
	wish   func(*world) comatproto.RepoStrongRef
	caller syntax.DID // the record's author when empty
	back   string     // a good one when empty
	terms  func(*repo.Terms)
} {
	plain := func(w *world) comatproto.RepoStrongRef { return w.pledge(1, 2500) }
	with := func(amount int64, change ...func(map[string]any)) func(*world) comatproto.RepoStrongRef {
		return func(w *world) comatproto.RepoStrongRef { return w.pledge(1, amount, change...) }
	}
	other := ref(developmentURI, someCID)
	return []struct {
		name   string
		want   RefusalName
		wish   func(*world) comatproto.RepoStrongRef
		caller syntax.DID
		back   string
		terms  func(*repo.Terms)
	}{
		{name: "no such record", want: SubjectNotFound, wish: func(*world) comatproto.RepoStrongRef { return ref(pledgeURI(9), someCID) }},
		{name: "a deleted record", want: SubjectNotFound, wish: func(w *world) comatproto.RepoStrongRef {
			r := w.pledge(1, 2500)
			w.remove(pledgeURI(1))
			return r
		}},
		{name: "a changed record", want: SubjectChanged, wish: func(w *world) comatproto.RepoStrongRef {
			r := w.pledge(1, 2500)
			w.pledge(1, 2600)
			return r
		}},
		{name: "an old commit", want: SubjectUnproven, wish: func(w *world) comatproto.RepoStrongRef { w.unproven = proof.ErrStale; return w.pledge(1, 2500) }},
		{name: "a PDS that is away", want: SubjectUnproven, wish: func(w *world) comatproto.RepoStrongRef { w.unproven = proof.ErrUnavailable; return w.pledge(1, 2500) }},
		{name: "a forgery", want: SubjectUnproven, wish: func(w *world) comatproto.RepoStrongRef { w.unproven = proof.ErrForged; return w.pledge(1, 2500) }},
		{name: "a record of another kind", want: InvalidSubject, wish: func(*world) comatproto.RepoStrongRef { return other }, caller: developer},
		{name: "no uri", want: InvalidSubject, wish: func(*world) comatproto.RepoStrongRef { return ref("https://example.org", someCID) }},
		{name: "a handle", want: InvalidSubject, wish: func(*world) comatproto.RepoStrongRef {
			return ref("at://backer.test/fund.stratos.feature.pledge/3lbqxkdzvqk2a", someCID)
		}},
		{name: "no cid", want: InvalidSubject, wish: func(*world) comatproto.RepoStrongRef { return ref(pledgeURI(1), "newest") }},
		{name: "nothing", want: InvalidSubject, wish: with(0)},
		{name: "less than nothing", want: InvalidSubject, wish: with(-2500)},
		{name: "more than a record may say", want: InvalidSubject, wish: with(math.MaxInt64)},
		{name: "a fraction as text", want: InvalidSubject, wish: with(0, value("25.5", "USD"))},
		{name: "no currency", want: InvalidSubject, wish: with(0, value(2500, "XXX"))},
		{name: "a currency in other letters", want: InvalidSubject, wish: with(0, value(2500, "usd"))},
		{name: "another proposal", want: InvalidSubject, wish: with(2500, set("proposal", map[string]any{"uri": proposalURI.String() + "x", "cid": someCID}))},
		{name: "somebody else's pledge", want: NotAuthor, wish: plain, caller: proposer},
		{name: "another escrow", want: WrongEscrow, wish: with(2500, set("escrow", proposer.String()))},
		{name: "no campaign", want: CampaignNotFound, wish: with(2500, on(donatedURI))},
		{name: "a closed campaign", want: CampaignNotOpen, wish: func(w *world) comatproto.RepoStrongRef { w.phase(lifecycle.PhaseClosed); return w.pledge(1, 2500) }},
		{name: "a campaign whose time is over", want: CampaignNotOpen, wish: func(w *world) comatproto.RepoStrongRef { w.clock = closes; return w.pledge(1, 2500) }},
		{name: "a decided attempt", want: CampaignNotOpen, wish: func(w *world) comatproto.RepoStrongRef {
			w.do(func(ctx context.Context, tx *store.Tx) error {
				return w.Ledger.DecideRefunds(ctx, tx, ledger.AttemptOf(developmentURI), ledger.ReasonCancelled)
			})
			return w.pledge(1, 2500)
		}},
		{name: "the last 35 minutes", want: CampaignClosing, wish: func(w *world) comatproto.RepoStrongRef {
			w.clock = closes.Add(-lifecycle.CheckoutMargin)
			return w.pledge(1, 2500)
		}},
		{name: "the author", want: NotEligible, wish: func(w *world) comatproto.RepoStrongRef { return w.by(developer) }},
		{name: "a payee", want: NotEligible, wish: func(w *world) comatproto.RepoStrongRef { return w.by(payee) }},
		{name: "a maintainer", want: NotEligible, wish: func(w *world) comatproto.RepoStrongRef { return w.by(maintainer) }},
		{name: "another currency", want: CurrencyMismatch, wish: with(0, value(2500, "JPY"))},
		{name: "less than the terms allow", want: AmountOutOfRange, wish: with(99)},
		{name: "more than the terms allow", want: AmountOutOfRange, wish: with(100_001)},
		{name: "more than a limit allows", want: LimitReached, wish: plain, terms: newBackers(2499)},
		{name: "paid before", want: AlreadyPaid, wish: func(w *world) comatproto.RepoStrongRef {
			r := w.pledge(1, 2500)
			session := w.agreed(w.begin(r))
			w.pay(session)
			w.observe(session)
			return r
		}},
		{name: "a float that is used up", want: FloatExhausted, wish: func(w *world) comatproto.RepoStrongRef {
			w.do(func(ctx context.Context, tx *store.Tx) error {
				return w.Ledger.Operator(ctx, tx, ledger.Withdrawal, ledger.Transaction{ID: "txn_out", Amount: -99_800, Currency: "USD"})
			})
			return w.pledge(1, 2500)
		}},
		{name: "a script", want: InvalidReturnURI, wish: plain, back: "javascript:alert(1)"},
		{name: "while everything stands still", want: ProcessorUnavailable, wish: func(w *world) comatproto.RepoStrongRef {
			w.halted = errors.New("the books are being checked")
			return w.pledge(1, 2500)
		}},
	}
}

func TestR9_RefusalsOfPledges(t *testing.T) {
	t.Parallel()
	for _, c := range pledgeRefusals() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var terms []func(*repo.Terms)
			if c.terms != nil {
				terms = append(terms, c.terms)
			}
			w := newWorld(t, terms...)
			subject := c.wish(w)
			caller, back := c.caller, c.back
			if caller == "" {
				caller = ownOf(subject)
			}
			if caller == "" || caller == "example.org" || caller == "backer.test" {
				caller = backer
			}
			if back == "" {
				back = backURL
			}
			_, err := w.Begin(t.Context(), caller, subject, back)
			refused(t, err, c.want)
			// Nothing is left of it.
			w.read(func(ctx context.Context, q sqlite.Querier) error {
				var holds int
				err := q.QueryRowContext(ctx, `SELECT count(*) FROM hold WHERE state = 'pending'`).Scan(&holds)
				if holds != 0 {
					t.Errorf("%d holds are open", holds)
				}
				return err
			})
		})
	}
}

// TestBegin_EveryRefusalHasACase: the lexicon's names are all meant.
func TestBegin_EveryRefusalHasACase(t *testing.T) {
	t.Parallel()
	covered := map[RefusalName]bool{}
	for _, c := range pledgeRefusals() {
		covered[c.want] = true
	}
	for _, c := range donationRefusals() {
		covered[c.want] = true
	}
	for _, name := range RefusalNames() {
		if !covered[name] {
			t.Errorf("no case refuses by %s", name)
		}
	}
}

func TestBegin_TheSameCallGivesTheSamePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.pledge(1, 2500)
	first := w.begin(subject)
	w.advance(time.Minute)
	w.unproven = proof.ErrUnavailable // it is not asked again
	again, err := w.Begin(t.Context(), backer, subject, "https://other.example.org/")
	w.ok(err)
	if again.ID != first.ID || again.Acknowledgement != first.Acknowledgement || again.ReturnURI != "https://other.example.org/" {
		t.Errorf("another payment: %+v after %+v", again, first)
	}
	h := w.holdOf(first.ID)
	if h.State != ledger.HoldPending || h.Pledge != first.Subject || h.CID != first.CID || h.Value != first.Value {
		t.Errorf("the hold is %+v", h)
	}
}

func TestBegin_ManyAtOnceGetOnePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.pledge(1, 2500)
	var all sync.WaitGroup
	ids := make([]ledger.HoldID, 12)
	for i := range ids {
		all.Go(func() {
			p, err := w.Begin(t.Context(), backer, subject, backURL)
			if err != nil {
				t.Error(err)
			}
			ids[i] = p.ID
		})
	}
	all.Wait()
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("payments %v", ids)
	}
}

func TestBegin_AnOfferEndsInTimeForTheClosing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if p := w.begin(w.pledge(1, 2500)); !p.ExpiresAt.Equal(began.Add(offerLife)) {
		t.Errorf("it expires at %s", p.ExpiresAt)
	}
	w.clock = closes.Add(-50 * time.Minute)
	if p := w.begin(w.pledge(2, 2500)); !p.ExpiresAt.Equal(closes.Add(-lifecycle.CheckoutMargin)) {
		t.Errorf("it expires at %s, the campaign closes at %s", p.ExpiresAt, closes)
	}
}

func TestBegin_AnEditEndsTheEarlierOffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.begin(w.pledge(1, 2500))
	session := w.agreed(first)
	second := w.begin(w.pledge(1, 5000))
	w.want(first.ID, StateEnded, EndingEdited, StatusExpired)
	w.want(second.ID, StateOpen, EndingNone, StatusOpen)
	if s, err := w.stripe.Session(t.Context(), "", session); err != nil || s.Status != "expired" {
		t.Errorf("the session is %+v, %v", s.Status, err)
	}
	if h := w.holdOf(first.ID); h.State != ledger.HoldVoided {
		t.Errorf("the hold is %s", h.State)
	}
}

// TestR9_AnEditedPledgeThatWasPaidIsHeldAsItWas: whoever paid first has paid.
func TestR9_AnEditedPledgeThatWasPaidIsHeldAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.begin(w.pledge(1, 2500))
	w.pay(w.agreed(first)) // and the webhook is lost
	_, err := w.Begin(t.Context(), backer, w.pledge(1, 5000), backURL)
	refused(t, err, AlreadyPaid)
	w.want(first.ID, StatePaid, EndingEdited, Status(lifecycle.ReceiptHeld))
	if h := w.holdOf(first.ID); h.CID != first.CID || h.Value.Amount != 2500 {
		t.Errorf("the hold is %+v", h)
	}
}

func TestBegin_WithoutTheProcessorAnEditWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.begin(w.pledge(1, 2500))
	w.agreed(first)
	w.call = func(string) error { return errAway }
	edited := w.pledge(1, 5000)
	_, err := w.Begin(t.Context(), backer, edited, backURL)
	refused(t, err, ProcessorUnavailable)
	if h := w.holdOf(first.ID); h.State != ledger.HoldPending {
		t.Errorf("the hold is %s while its session may be paid", h.State)
	}
	if _, err := w.Confirm(t.Context(), first.ID, first.Terms.Uri); !errors.Is(err, ErrOver) {
		t.Errorf("an ending payment is confirmed: %v", err)
	}
	w.call = nil
	w.begin(edited)
}

func TestBegin_ForAnotherAttemptNeedsAnotherRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.campaign(campaign.Campaign{Development: ref(donatedURI, someCID), Proposal: ref(otherProposalURI, someCID)})
	w.begin(w.pledge(1, 2500))
	_, err := w.Begin(t.Context(), backer, w.pledge(1, 2500, on(donatedURI)), backURL)
	refused(t, err, InvalidSubject)
}

// TestR16_TheFloatCoversWhatIsPromised counts down to the last payment.
func TestR16_TheFloatCoversWhatIsPromised(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cost, err := w.cfg.Costs.Of(w.begin(w.pledge(1, 2500)).Value)
	w.ok(err)
	// Leave enough for three, one of them begun.
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.Operator(ctx, tx, ledger.Withdrawal, ledger.Transaction{ID: "txn_out", Amount: 3*cost - 100_000, Currency: "USD"})
	})
	second := w.begin(w.pledge(2, 2500))
	w.begin(w.pledge(3, 2500))
	fourth := w.pledge(4, 2500)
	_, err = w.Begin(t.Context(), backer, fourth, backURL)
	refused(t, err, FloatExhausted)
	// Another currency's float is no help, and an offer that ends makes room.
	w.topUp(1_000_000, "JPY")
	_, err = w.Begin(t.Context(), backer, fourth, backURL)
	refused(t, err, FloatExhausted)
	_, err = w.end(t.Context(), second, EndingExpired)
	w.ok(err)
	w.begin(fourth)
}

func TestBegin_ZeroDecimalCurrencies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.phase(lifecycle.PhaseRefunding) // one campaign at a time
	w.campaign(campaign.Campaign{Development: ref(donatedURI, someCID), Currency: "JPY"})
	w.topUp(100_000, "JPY")
	p := w.begin(w.pledge(1, 0, on(donatedURI), value(3500, "JPY")))
	session := w.agreed(p)
	w.pay(session)
	w.observe(session)
	if h := w.holdOf(p.ID); h.Balances[ledger.KindHeld] != 3500 || h.Value.Currency != "JPY" {
		t.Errorf("%+v", h)
	}
}

func TestCosts(t *testing.T) {
	t.Parallel()
	costs := Costs{BasisPoints: 290, Fixed: map[money.Currency]int64{"USD": 30}}
	for _, c := range []struct {
		amount   int64
		currency money.Currency
		want     int64
	}{{2500, "USD", 103}, {1, "USD", 31}, {10_000, "USD", 320}, {3500, "JPY", 202}, {2500, "KWD", 1073}} {
		if got, err := costs.Of(money.Money{Amount: c.amount, Currency: c.currency}); err != nil || got != c.want {
			t.Errorf("%d %s: %d, %v; want %d", c.amount, c.currency, got, err, c.want)
		}
	}
	if got, err := costs.Of(money.Money{Amount: math.MaxInt64, Currency: "USD"}); err == nil {
		t.Errorf("an overflow costs %d", got)
	}
	for _, bad := range []string{"USD", "USD=-1", "usd=1", "=1", "USD=1.5"} {
		if got, err := ParseFixed([]string{bad}); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if got, err := ParseFixed([]string{"USD=60", "JPY=90"}); err != nil || fmt.Sprint(got) != "map[JPY:90 USD:60]" {
		t.Errorf("%v, %v", got, err)
	}
}
