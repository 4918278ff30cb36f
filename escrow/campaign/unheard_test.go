package campaign_test

import (
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// unfollowed makes the index lack what an account wrote since, as a new index does.
func (w *world) unfollowed(did syntax.DID) {
	w.t.Helper()
	w.ok(w.index.RequestResync(w.t.Context(), did))
}

func TestR13_ADisputeThatTheIndexHasNotFetchedYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, disputed := range []bool{true, false} {
		w := released(t)
		w.unfollowed(payerOf("h1"))
		w.at(w.endsAt().Add(time.Hour))
		w.wantPhase("verifying")
		if disputed {
			w.dispute(payerOf("h1"), "other") // was there in time, and is found now
			w.pass(time.Second)
			w.wantPhase("disputed")
			continue
		}
		w.follow(payerOf("h1"))
		w.pass(time.Second)
		w.wantPhase("settling")
	}
}

func TestR13_ARepositoryThatNobodyCanFetchStopsNoPayout(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.unfollowed(payerOf("h1"))
	w.at(w.endsAt().Add(day - time.Minute))
	w.wantPhase("verifying")
	w.at(w.endsAt().Add(day))
	w.wantPhase("settling")
}

func TestR10_WhatTheIndexHasNotFetchedYetMayHaveBeenTakenBack(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.unfollowed(payerOf("h1"))
	w.at(closesAt.Add(time.Hour))
	w.wantPhase("open")
	w.remove(pledgeOf("h1"))
	w.pass(time.Second)
	w.wantPhase("closed")
	w.wantReceipt("h1", "held refunding(withdrawn)")
	if pot := w.campaign().Pot; *pot != 1000 {
		t.Errorf("the pot is %d", *pot)
	}
}

// TestR15_WhatTheStreamMayHaveMissedIsWaitedFor: after a gap the index asks each PDS, and
// until it did, nobody is late.
func TestR15_WhatTheStreamMayHaveMissedIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.wantPhase("closed")
	w.ok(w.index.LostTrack(t.Context()))
	w.at(releaseBy.Add(time.Hour))
	w.wantPhase("closed")
	w.release() // in the gap
	w.pass(time.Second)
	w.wantPhase("checking")
}

// TestR10_NobodyKeepsACampaignOpenByDeletingAgainAndAgain: the proof of each deletion has an
// hour, whatever becomes of the record in between.
func TestR10_NobodyKeepsACampaignOpenByDeletingAgainAndAgain(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.proof = func(uriT) (bool, error) { return false, errAway }
	records := map[uriT]lexicons.Record{}
	for _, uri := range []uriT{pledgeOf("h1"), pledgeOf("h2")} {
		parsed, err := lexicons.ParseRecord(syntax.DID(uri.Authority()), uri.Collection(), uri.RecordKey(), w.repos[syntax.DID(uri.Authority())][uri].Value)
		w.ok(err)
		records[uri] = parsed
	}
	w.at(closesAt.Add(-time.Minute))
	for i := range 24 { // for four hours
		gone, back := pledgeOf("h1"), pledgeOf("h2")
		if i%2 == 1 {
			gone, back = back, gone
		}
		w.remove(gone)
		w.pass(time.Second)
		w.put(syntax.DID(back.Authority()), back.RecordKey(), records[back])
		w.pass(10 * time.Minute)
	}
	w.wantPhase("closed")
}

func TestR13_AClockThatWasSetBackLeavesTheWholeVerification(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.release()
	w.pass(time.Second)
	w.ok(w.examiner.Pass(t.Context()))
	right := w.clock
	w.at(right.Add(-20 * day)) // and what comes agrees with it
	w.pass(time.Second)
	w.wantPhase("verifying")
	w.at(right.Add(time.Minute))
	w.pass(time.Second)
	w.wantPhase("verifying")
	if left := w.endsAt().Sub(right); left < 13*day {
		t.Errorf("%s are left to look", left)
	}
}
