package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
)

// at is a time of the life that the tests tell, in hours after its start.
func at(hours float64) string { return stamp(start.Add(time.Duration(hours * float64(time.Hour)))) }

// history is what an escrow says happened to a payment.
func history(changes ...any) fields {
	var list []fields
	for i := 0; i < len(changes); i += 2 {
		list = append(list, fields{"status": changes[i], "at": changes[i+1]})
	}
	return fields{"history": list}
}

// life is a proposal by carol that bob builds, alice and dave pay for, and that
// is released after a dispute of dave.
type life struct {
	*world
	proposal, attempt syntax.ATURI
}

func newLife(t *testing.T) life {
	t.Helper()
	l := life{newWorld(t, newTestStore(t)), proposalURI(carol, 1), developmentURI(bob, 1)}
	l.put(
		proposal(t, carol, 1, onAccount(bob), fields{"createdAt": at(-9)}),
		response(t, bob, 1, l.proposal, "planned", fields{"createdAt": at(-8)}),
		response(t, shady, 1, l.proposal, "declined", fields{"createdAt": at(-8)}),
		development(t, bob, 1, l.proposal, fields{"createdAt": at(-7)}),
		development(t, shady, 1, l.proposal, fields{"createdAt": at(-7)}),
		donation(t, alice, 1, l.proposal, l.attempt, escrow, fields{"createdAt": at(-6)}),
		preview(t, bob, 1, start.Add(-5*time.Hour), fields{"createdAt": at(-6.5)}),
		preview(t, shady, 1, start, fields{"createdAt": at(-6.5)}),
		pledge(t, alice, 1, l.proposal, l.attempt, escrow, fields{"createdAt": at(-4.5)}),
		pledge(t, dave, 1, l.proposal, l.attempt, escrow, fields{"createdAt": at(-4.4)}),
		release(t, bob, 1, fields{"createdAt": at(-3)}),
		verification(t, carol, 1, l.attempt, true, fields{"createdAt": at(-2)}),
		dispute(t, dave, 1, l.proposal, l.attempt, fields{"createdAt": at(-1.9)}),
	)
	l.put(
		receiptFor(t, escrow, recordURI(alice, lexicons.CollectionDonation, key(1)), l.attempt, 700, "USD", "paid",
			history("paid", at(-5.9))),
		receipt(t, escrow, alice, 1, l.attempt, 1000, "USD", "released",
			history("held", at(-4.4), "releasing", at(-0.5), "released", at(-0.4))),
		receipt(t, escrow, dave, 1, l.attempt, 2000, "USD", "refunded",
			history("held", at(-4.3), "refunding", at(-0.5), "refunded", at(-0.3))),
		receipt(t, shady, dave, 1, l.attempt, 9000, "USD", "held", history("held", at(-4))),
		campaignAs(t, escrow, l.attempt, l.proposal, fields{
			"phase": "released", "opensAt": at(-5), "closesAt": at(-3.5), "releaseBy": at(1), "finalAt": at(2),
			"pot": value(3000, "USD"), "release": ref(releaseURI(l.attempt)), "acceptedAt": at(-2.5),
			"pauses": []fields{
				{"from": at(-1.9), "to": at(-1), "dispute": ref(recordURI(dave, lexicons.CollectionDispute, key(1)))},
				{"from": at(-0.9), "to": at(-0.8), "dispute": ref(recordURI(alice, lexicons.CollectionDispute, key(7)))}, // withdrawn
			},
		}),
		campaign(t, shady, l.attempt, l.proposal, payees(bob)),
		ruling(t, escrow, 1, recordURI(dave, lexicons.CollectionDispute, key(1)), "rejected", fields{"createdAt": at(-1)}),
		ruling(t, shady, 1, recordURI(dave, lexicons.CollectionDispute, key(1)), "upheld", fields{"createdAt": at(-1.5)}),
	)
	return l
}

func (l life) timeline(t *testing.T, after *EventKey, limit int) []Event {
	t.Helper()
	of := Actors{Developers: []syntax.DID{bob}, Attempts: []syntax.ATURI{l.attempt}}
	var out []Event
	mustRead(t, l.s, func(r *Reader) (err error) {
		out, err = r.Timeline(t.Context(), l.proposal, of, after, limit)
		return err
	})
	return out
}

func told(events []Event) []string {
	var out []string
	for _, e := range events {
		line := fmt.Sprintf("%.1f %s %s %s", e.At.Sub(start).Hours(), e.Kind, e.Actor, e.URI.Collection())
		if e.Value != nil {
			line += fmt.Sprintf(" %d %s", e.Value.Amount, e.Value.Currency)
		}
		out = append(out, line)
	}
	return out
}

func TestTimeline_TellsTheLifeInOrder(t *testing.T) {
	l := newLife(t)
	want := []string{
		"-9.0 proposed did:plc:carol fund.stratos.feature.proposal",
		"-8.0 answered did:plc:bob fund.stratos.work.response",
		"-7.0 development-started did:plc:bob fund.stratos.work.development",
		"-6.5 preview-announced did:plc:bob fund.stratos.work.preview",
		"-5.9 donated did:plc:alice fund.stratos.escrow.receipt 700 USD",
		"-5.0 preview-opened did:plc:escrow fund.stratos.escrow.campaign",
		"-4.4 pledged did:plc:alice fund.stratos.escrow.receipt 1000 USD",
		"-4.3 pledged did:plc:dave fund.stratos.escrow.receipt 2000 USD",
		"-3.5 preview-closed did:plc:escrow fund.stratos.escrow.campaign 3000 USD",
		"-3.0 released did:plc:bob fund.stratos.work.release",
		"-2.5 release-accepted did:plc:escrow fund.stratos.escrow.campaign",
		"-2.0 verified did:plc:carol fund.stratos.feature.verification",
		"-1.9 disputed did:plc:dave fund.stratos.feature.dispute",
		"-1.0 ruled did:plc:escrow fund.stratos.escrow.ruling",
		"-0.9 disputed did:plc:escrow fund.stratos.escrow.campaign",
		"-0.8 dispute-withdrawn did:plc:escrow fund.stratos.escrow.campaign",
		"-0.4 paid-out did:plc:alice fund.stratos.escrow.receipt 1000 USD",
		"-0.3 refunded did:plc:dave fund.stratos.escrow.receipt 2000 USD",
	}
	all := l.timeline(t, nil, 100)
	if diff := gocmp.Diff(want, told(all)); diff != "" {
		t.Fatalf("timeline (-want +got):\n%s", diff)
	}
	for limit := 1; limit < 5; limit++ {
		var paged []Event
		var after *EventKey
		for {
			page := l.timeline(t, after, limit)
			paged = append(paged, page...)
			if len(page) < limit {
				break
			}
			after = &page[limit-1].EventKey
		}
		if diff := gocmp.Diff(all, paged); diff != "" {
			t.Errorf("by pages of %d (-whole +paged):\n%s", limit, diff)
		}
	}
}

// The first page of a crowd does not read all of its receipts. Many things happen at the same
// moment, some receipts say at first what timelines do not tell, and some do not count.
func TestTimeline_TheFirstPageIsTheBeginningOfTheWhole(t *testing.T) {
	l := newLife(t)
	random := rand.New(rand.NewPCG(1, 2))
	moment := func(after int) (string, int) {
		after += random.IntN(2)
		return at(-4 + float64(after)/10), after
	}
	for n := range 60 {
		by := []syntax.DID{escrow, escrow, escrow, shady}[random.IntN(4)]
		first := []string{"held", "held", "refunding"}[random.IntN(3)]
		begins, hour := moment(0)
		ends, _ := moment(hour)
		who := syntax.DID(fmt.Sprintf("did:plc:backer%d", n))
		l.put(receipt(t, by, who, 1, l.attempt, 100, "USD", "refunded", history(first, begins, "refunded", ends)))
	}
	whole := l.timeline(t, nil, 1000)
	if len(whole) < 60 {
		t.Fatalf("only %d events", len(whole))
	}
	for limit := 1; limit <= len(whole); limit++ {
		if diff := gocmp.Diff(whole[:limit], l.timeline(t, nil, limit)); diff != "" {
			t.Fatalf("the first %d (-whole +page):\n%s", limit, diff)
		}
	}
}

// What backers and developers delete is gone; what the escrow copied stays (F1).
func TestF1_TimelineKeepsWhatTheEscrowCopied(t *testing.T) {
	l := newLife(t)
	l.delete(recordURI(dave, lexicons.CollectionDispute, key(1)), recordURI(alice, lexicons.CollectionPledge, key(1)))
	l.status(carol, AccountDeactivated) // the verification is hers
	got := told(l.timeline(t, nil, 100))
	for _, kept := range []string{
		"-1.0 ruled did:plc:escrow fund.stratos.escrow.ruling",
		"-1.9 disputed did:plc:escrow fund.stratos.escrow.campaign",
		"-4.4 pledged did:plc:alice fund.stratos.escrow.receipt 1000 USD",
	} {
		if !slices.Contains(got, kept) {
			t.Errorf("%q is gone", kept)
		}
	}
	for _, gone := range []string{
		"-1.9 disputed did:plc:dave fund.stratos.feature.dispute",
		"-2.0 verified did:plc:carol fund.stratos.feature.verification",
	} {
		if slices.Contains(got, gone) {
			t.Errorf("%q is still told", gone)
		}
	}
	l.status(escrow, AccountTakendown)
	if got := told(l.timeline(t, nil, 100)); slices.Contains(got, "-5.0 preview-opened did:plc:escrow fund.stratos.escrow.campaign") {
		t.Error("a hidden escrow is heard")
	}
}

// A deadline of a campaign is no event before it is there, and none when the
// attempt was given up before.
func TestTimeline_DeadlinesHappenInTime(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	l := life{w, proposalURI(carol, 1), developmentURI(bob, 1)}
	l.put(proposal(t, carol, 1, onAccount(bob), nil), campaign(t, escrow, l.attempt, l.proposal, payees(bob))) // closes in an hour
	closed := func() bool {
		return slices.Contains(told(l.timeline(t, nil, 100)), "1.0 preview-closed did:plc:escrow fund.stratos.escrow.campaign")
	}
	if closed() {
		t.Error("closed before its time")
	}
	l.s.clock.advance(time.Hour)
	if !closed() {
		t.Error("not closed in time")
	}
	l.put(campaignAs(t, escrow, l.attempt, l.proposal, fields{"phase": "refunded"}))
	if closed() {
		t.Error("closed although it was given up while it was open")
	}
}
