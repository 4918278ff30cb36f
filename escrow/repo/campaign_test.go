package repo

import (
	"context"
	"fmt"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const development syntax.ATURI = "at://did:plc:developerdeveloperdevelo/fund.stratos.work.development/3lbqxkdzvqk2a"

// opens keeps a campaign of the attempt, which is published like anything else.
func (w *world) opens(changes ...func(*campaign.Campaign)) campaign.Campaign {
	w.t.Helper()
	in := func(collection syntax.NSID) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://did:plc:developerdeveloperdevelo/" + collection.String() + "/3lbqxkdzvqk2a", Cid: someCID}
	}
	c := campaign.Campaign{
		Attempt: ledger.AttemptOf(development), Development: in(lexicons.CollectionDevelopment), Preview: in(lexicons.CollectionPreview),
		Proposal: in(lexicons.CollectionProposal), Terms: comatproto.RepoStrongRef{Uri: "at://" + w.account.DID.String() + "/fund.stratos.escrow.terms/3lbqxkdzvqk2a", Cid: someCID},
		Author: "did:plc:developerdeveloperdevelo", Title: "Larger text", Currency: "USD", Fee: 500,
		Payees:  []campaign.Payee{{DID: "did:plc:developerdeveloperdevelo", Share: 10_000, Account: "acct_1"}},
		OpensAt: w.clock, ClosesAt: w.clock.AddDate(0, 0, 10), ReleaseBy: w.clock.AddDate(0, 0, 24), FinalAt: w.clock.AddDate(0, 0, 80),
		Commitment: &stratos.WorkPreview_Commitment{Algorithm: "sha1", Tree: "0123456789012345678901234567890123456789"},
	}
	for _, change := range changes {
		change(&c)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error { return campaign.Add(ctx, tx, c) })
	return c
}

func (w *world) campaignRecord() *stratos.EscrowCampaign {
	w.t.Helper()
	record, _ := w.read(lexicons.CollectionCampaign, lexicons.DerivedKey(development))
	if record == nil {
		return nil
	}
	return record.(*stratos.EscrowCampaign)
}

func TestCampaign_IsPublishedWithEachPhase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.opens()
	w.settle()
	got := w.campaignRecord()
	if got == nil || got.Phase != "open" || got.Title != c.Title || got.FinalAt != stamp(c.FinalAt) || *got.Payees[0].Account != "acct_1" ||
		got.Commitment.Tree != c.Commitment.Tree || !*got.Test || got.Totals.Held != 0 {
		t.Fatalf("the record says %+v", got)
	}
	rev := w.rev()
	w.clock = w.clock.Add(2 * time.Hour) // the whole repository is compared
	w.settle()
	if w.rev() != rev {
		t.Error("it was written again, and nothing had changed")
	}
	// Whoever moves it, the database sees to its record.
	w.do(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE campaign SET phase = 'closed', pot = 2500, totals = '{"held":2500,"pledgers":1}', updated_at = $1`, tx.Now().UnixMilli())
		return err
	})
	w.settle()
	if got := w.campaignRecord(); got.Phase != "closed" || got.Pot.Amount != 2500 || got.Totals.Pledgers != 1 {
		t.Errorf("closed, the record says %+v", got)
	}
}

func TestCampaign_WhatIsSeenOfAReleaseIsNotPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens()
	w.settle()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE campaign SET release_seen_at = $1`, tx.Now().UnixMilli())
		return err
	})
	if got := w.waiting(); got.Records != 0 {
		t.Errorf("%d records are to be published", got.Records)
	}
}

func TestCampaign_WhatWasFrozenCannotBeChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens()
	for _, change := range []string{
		`title = 'Another'`, `author = 'did:plc:other'`, `development_cid = 'x'`, `preview_cid = 'x'`, `proposal_cid = 'x'`, `terms_cid = 'x'`,
		`currency = 'EUR'`, `fee = 0`, `commitment = NULL`, `final_at = final_at + 1`, `opens_at = opens_at + 1`, `closes_at = closes_at - 1`,
		`release_by = release_by - 1`, `updated_at = updated_at - 1`, `reason = 'cancelled'`, `pot = 5`, `phase = 'closed'`, `phase = 'paused'`,
	} {
		err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, fmt.Sprintf(`UPDATE campaign SET %s`, change))
			return err
		})
		if err == nil {
			t.Errorf("the database takes %s", change)
		}
	}
	for _, statement := range []string{`DELETE FROM campaign`, `DELETE FROM campaign_payee`, `UPDATE campaign_payee SET account = 'acct_2'`, `UPDATE campaign_payee SET share = 1`} {
		err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		})
		if err == nil {
			t.Errorf("the database takes %s", statement)
		}
	}
}

func TestCampaign_ItsRecordSaysAllButTheFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opens()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE campaign SET phase = 'refunding', reason = 'cancelled', pot = 2500, totals = '{"pledgers":1,"held":2,"released":3,"refunded":4,"chargedBack":5,"fee":6}', updated_at = $1`, tx.Now().UnixMilli())
		return err
	})
	w.settle()
	got, err := campaignOf(w.campaignRecord())
	w.ok(err)
	w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		want, err := campaign.LoadByDevelopment(ctx, q, development)
		want.Fee = 0
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		return err
	}))
	ahead, err := w.pub.CampaignsAhead(t.Context())
	if err != nil || len(ahead) != 0 {
		t.Errorf("what was published from here is ahead: %+v, %v", ahead, err)
	}
}

func TestCampaign_SaysUntilWhenTestTermsTakeCheckouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	usual := w.announce(someService, termsFile(t, numbers(), "A text."))
	short := numbers()
	short["checkoutMarginSeconds"] = 60
	ref := w.announce(someService, termsFile(t, short, "A text."))
	c := w.opens(func(c *campaign.Campaign) { c.Terms = ref })
	w.settle()
	if got := w.campaignRecord().CheckoutsUntil; got == nil || *got != stamp(c.ClosesAt.Add(-time.Minute)) {
		t.Errorf("checkouts until %v", got)
	}
	w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		terms, err := w.repo.TermsByKey(ctx, q, w.uri(usual.Uri).RecordKey())
		if err == nil && !terms.CheckoutsUntil(c.ClosesAt).Equal(c.ClosesAt.Add(-lifecycle.CheckoutMargin)) {
			t.Errorf("usually checkouts are taken until %s", terms.CheckoutsUntil(c.ClosesAt))
		}
		return err
	}))
}
