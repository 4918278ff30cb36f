package campaign_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

func TestCatchUp_GoesWhereReceiptsAndProcessorLead(t *testing.T) {
	t.Parallel()
	pot := int64(2500)
	for name, c := range map[string]struct {
		phase  lifecycle.Phase
		reason campaign.Reason
		pot    *int64
		held   bool
		later  time.Duration
		there  bool
		now    lifecycle.Phase
	}{
		"closed":                           {lifecycle.PhaseClosed, "", &pot, true, time.Minute, true, lifecycle.PhaseClosed},
		"refunding":                        {lifecycle.PhaseRefunding, campaign.ReasonCancelled, nil, true, time.Minute, true, lifecycle.PhaseRefunding},
		"refunded":                         {lifecycle.PhaseRefunded, campaign.ReasonCancelled, nil, false, time.Minute, true, lifecycle.PhaseRefunded},
		"refunded, and the ledger is not":  {lifecycle.PhaseRefunded, campaign.ReasonCancelled, nil, true, time.Minute, false, lifecycle.PhaseOpen},
		"released is for a person":         {lifecycle.PhaseReleased, "", &pot, true, time.Minute, false, lifecycle.PhaseOpen},
		"settling without a release":       {lifecycle.PhaseSettling, "", &pot, true, time.Minute, false, lifecycle.PhaseOpen},
		"verifying without a release":      {lifecycle.PhaseVerifying, "", &pot, true, time.Minute, false, lifecycle.PhaseOpen},
		"a phase that is none":             {"paused", "", &pot, true, time.Minute, false, lifecycle.PhaseOpen},
		"what was published before is not": {lifecycle.PhaseClosed, "", &pot, true, 0, true, lifecycle.PhaseOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := opened(t)
			if c.held {
				w.paid("h1", 2500)
			}
			published := w.campaign()
			published.Phase, published.Reason, published.Pot = c.phase, c.reason, c.pot
			published.Totals, published.UpdatedAt = campaign.Totals{Held: 7}, published.UpdatedAt.Add(c.later)
			before := w.campaign()
			for range 2 {
				w.do(func(ctx context.Context, tx *store.Tx) error {
					there, err := campaign.CatchUp(ctx, tx, published)
					if there != c.there {
						t.Errorf("it is there: %t, want %t", there, c.there)
					}
					return err
				})
			}
			want := before
			if c.now != lifecycle.PhaseOpen {
				want = published
			}
			if diff := cmp.Diff(want, w.campaign()); diff != "" {
				t.Errorf("the campaign (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCatchUp_WhatABankReturnedSinceKeepsNoCampaignBehind(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.cancel()
	w.pass(time.Minute)
	w.returned("h1", 2500)
	w.wantPhase("refunding(cancelled)")
	published := w.campaign()
	published.Phase, published.UpdatedAt = lifecycle.PhaseRefunded, published.UpdatedAt.Add(time.Minute)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		there, err := campaign.CatchUp(ctx, tx, published)
		if !there {
			t.Error("a campaign stays behind because of a refund that came back after it had ended")
		}
		return err
	})
	w.wantPhase("refunded(cancelled)")
}

func TestRestore_BeginsAsItOpened(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proposal string // instead of the one that has a campaign
		reason   campaign.Reason
		err      error
		now      lifecycle.Phase
	}{
		"of its own":                  {"at://did:plc:other/fund.stratos.feature.proposal/3lbqxkdzvqk2a", campaign.ReasonCancelled, nil, lifecycle.PhaseOpen},
		"beside the one that is open": {"", campaign.ReasonCancelled, nil, lifecycle.PhaseRefunding},
		"beside it, and open as well": {"", "", campaign.ErrMoved, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := opened(t)
			lost := w.campaign()
			lost.Development.Uri = strings.TrimSuffix(lost.Development.Uri, lost.Development.Uri[len(lost.Development.Uri)-1:]) + "z"
			lost.Attempt = ledger.AttemptOf(syntax.ATURI(lost.Development.Uri))
			if c.proposal != "" {
				lost.Proposal.Uri = c.proposal
			}
			if lost.Phase, lost.Reason = lifecycle.PhaseRefunded, c.reason; c.reason == "" {
				lost.Phase = lifecycle.PhaseOpen
			}
			lost.Totals, lost.UpdatedAt = campaign.Totals{Refunded: 7}, lost.UpdatedAt.Add(time.Hour)
			for range 2 { // the second time it is known
				var err error
				w.do(func(ctx context.Context, tx *store.Tx) error { err = campaign.Restore(ctx, tx, lost); return nil })
				if !errors.Is(err, c.err) {
					t.Fatalf("%v, want %v", err, c.err)
				}
			}
			if c.err != nil {
				return
			}
			want := lost
			want.Phase, want.Totals, want.UpdatedAt = c.now, campaign.Totals{}, lost.OpenedAt
			if c.now == lifecycle.PhaseOpen {
				want.Reason = ""
			}
			w.read(func(ctx context.Context, q sqlite.Querier) error {
				got, err := campaign.Load(ctx, q, lost.Attempt)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the campaign (-want +got):\n%s", diff)
				}
				return err
			})
		})
	}
}

// What a database lost of a release and of disputes comes back from the record, and the life
// goes on from there.
func TestCatchUp_BringsReleasesAndDisputesBack(t *testing.T) {
	t.Parallel()
	published := released(t)
	rejected := published.dispute(payerOf("h1"), "other")
	published.pass(time.Second)
	published.rule(rejected, "rejected")
	published.pass(day)
	published.dispute(payerOf("h2"), "other")
	published.pass(time.Second)
	published.wantPhase("disputed")
	lost := published.campaign()
	published.read(func(ctx context.Context, q sqlite.Querier) (err error) {
		lost.Stopped, err = campaign.DisputesOf(ctx, q, lost.Attempt)
		return err
	})

	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.clock = published.clock
	w.dispute(payerOf("h1"), "other")
	w.dispute(payerOf("h2"), "other")
	for range 2 {
		w.do(func(ctx context.Context, tx *store.Tx) error {
			there, err := campaign.CatchUp(ctx, tx, lost)
			if !there {
				t.Error("it is not there")
			}
			return err
		})
	}
	want := lost
	want.Stopped, want.ReleaseSeenAt = nil, time.Time{}
	if diff := cmp.Diff(want, w.campaign()); diff != "" {
		t.Errorf("the campaign (-want +got):\n%s", diff)
	}
	if got := w.disputes(); got != "rejected, standing" {
		t.Errorf("the disputes are %s", got)
	}
	w.pass(time.Second)
	w.wantPhase("disputed")
	w.at(lost.Stopped[1].RulingBy)
	w.wantPhase("verifying") // rejected by default: its tree was the one
	w.at(w.endsAt())
	w.wantPhase("settling")
	w.wantReceipt("h1", "held releasing")
}

// A dispute was rejected, and the process died before the clock went on: the record says
// disputed, and nothing stands. Restored, the clock stood still all the same.
func TestCatchUp_ADisputeThatIsOverStillStoppedTheClock(t *testing.T) {
	t.Parallel()
	published := released(t)
	end := published.endsAt()
	rejected := published.dispute(payerOf("h1"), "other")
	published.pass(time.Second)
	published.clock = published.clock.Add(5 * day)
	published.rule(rejected, "rejected")
	published.wantPhase("disputed")
	lost := published.campaign()
	published.read(func(ctx context.Context, q sqlite.Querier) (err error) {
		lost.Stopped, err = campaign.DisputesOf(ctx, q, lost.Attempt)
		return err
	})

	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.clock = published.clock
	w.do(func(ctx context.Context, tx *store.Tx) error {
		_, err := campaign.CatchUp(ctx, tx, lost)
		return err
	})
	w.pass(time.Second)
	w.wantPhase("verifying")
	if got, want := w.endsAt(), end.Add(5*day); !got.Equal(want) {
		t.Errorf("verification ends at %s, want %s", got, want)
	}
}
