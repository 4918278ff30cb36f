package checkout

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

func TestAdopt_APaymentThatTheDatabaseLostIsKeptAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.backup()
	p := w.begin(w.pledge(1, 2500))
	session := w.agreed(p)
	w.pay(session)
	w.observe(session)
	before := w.payment(p.ID)

	w.advance(time.Minute)
	w.restore()
	if err := w.Observe(t.Context(), payments.Platform, session); !errors.Is(err, ErrForeign) {
		t.Fatalf("what was lost is %v", err)
	}
	w.ok(w.Adopt(t.Context(), w.session1(session)))
	w.want(p.ID, StateOpen, EndingNone, StatusOpen)
	for range 2 {
		w.observe(session)
		w.want(p.ID, StatePaid, EndingNone, "held")
	}
	got := w.payment(p.ID)
	if got.Subject != before.Subject || got.CID != before.CID || got.Payer != before.Payer || got.Attempt != before.Attempt || got.Value != before.Value ||
		got.Terms != before.Terms || got.Title != before.Title || got.Cost != before.Cost || got.Session != session || !got.Confirmed {
		t.Errorf("adopted is %+v, and it was %+v", got, before)
	}
	said, err := ParseAcknowledgement(got.Acknowledgement, escrowDID, w.key.public)
	if err != nil || said.Payment != string(p.ID) {
		t.Errorf("the acknowledgement is %+v, %v", said, err)
	}
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		_, err := ledger.ReceiptState(ctx, q, p.Subject)
		return err
	})
	if _, err := w.Begin(t.Context(), backer, ref(p.Subject, string(p.CID)), backURL); err == nil {
		t.Error("it can be paid once more")
	}
	if len(w.alarms) != 0 {
		t.Errorf("alarms: %q", w.alarms)
	}
}

func TestAdopt_WhoeverIsStillOnThePageCanPay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.backup()
	p := w.begin(w.pledge(1, 2500))
	session := w.agreed(p)
	w.restore()
	w.ok(w.Adopt(t.Context(), w.session1(session)))
	again := w.begin(w.pledge(1, 2500))
	if again.ID != p.ID {
		t.Errorf("the payer is offered %s beside %s", again.ID, p.ID)
	}
	w.pay(session)
	w.observe(session)
	w.want(p.ID, StatePaid, EndingNone, "held")
}

func TestAdopt_BySeveralAtOnceKeepsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.backup()
	p := w.begin(w.pledge(1, 2500))
	session := w.agreed(p)
	w.pay(session)
	w.restore()
	lost := w.session1(session)
	var g errgroup.Group
	for range 8 {
		g.Go(func() error { return w.Adopt(t.Context(), lost) })
	}
	w.ok(g.Wait())
	w.observe(session)
	w.want(p.ID, StatePaid, EndingNone, "held")
	w.ok(w.Adopt(t.Context(), lost))
	w.want(p.ID, StatePaid, EndingNone, "held")
}

func TestAdopt_WaitsForACampaignThatIsLostAsWell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.backup()
	c := campaign.Campaign{Development: ref(donatedURI, someCID), Proposal: ref(otherProposalURI, someCID)}
	w.campaign(c)
	p := w.begin(w.pledge(1, 2500, on(donatedURI), set("proposal", map[string]any{"uri": otherProposalURI.String(), "cid": someCID})))
	session := w.agreed(p)
	w.pay(session)
	w.restore()
	if err := w.Adopt(t.Context(), w.session1(session)); !errors.Is(err, ledger.ErrNotYet) {
		t.Errorf("%v, want ErrNotYet", err)
	}
	if _, err := w.load(t.Context(), p.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("something was kept: %v", err)
	}
	w.campaign(c)
	w.ok(w.Adopt(t.Context(), w.session1(session)))
	w.observe(session)
	w.want(p.ID, StatePaid, EndingNone, "held")
}

func TestAdopt_APledgeHasOneHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.backup()
	pledge := w.pledge(1, 2500)
	lost := w.begin(pledge)
	session := w.agreed(lost)
	w.restore()
	other := w.agreed(w.begin(pledge))
	w.pay(other)
	w.observe(other)
	if err := w.Adopt(t.Context(), w.session1(session)); !errors.Is(err, ledger.ErrTaken) {
		t.Errorf("%v, want ErrTaken", err)
	}
}
