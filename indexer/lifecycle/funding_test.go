package lifecycle_test

import (
	"math"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// fundingAt is the funding at a moment, of which the first interval says it.
func fundingAt(f lifecycle.Facts, when time.Duration) []lifecycle.Funding {
	return lifecycle.EvaluateFunding(f, lifecycle.Evaluate(f), t0.Add(when))[0].Funding
}

type fundingCase struct {
	name string
	f    lifecycle.Facts
	when time.Duration
	want []lifecycle.Funding
}

func runFunding(t *testing.T, tests []fundingCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.want == nil {
				tt.want = []lifecycle.Funding{}
			}
			if diff := cmp.Diff(tt.want, fundingAt(tt.f, tt.when)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func usd(change func(*lifecycle.Funding)) []lifecycle.Funding {
	f := lifecycle.Funding{Currency: "USD"}
	change(&f)
	return []lifecycle.Funding{f}
}

func TestR6_EstimatesCreatedAfterTheOpeningDoNotCount(t *testing.T) {
	t.Parallel()
	const after, old = lifecycle.NotCountedAfterOpening, lifecycle.NotCountedSuperseded
	e := func(who syntax.DID, rkey string, at time.Duration, amount int64) part {
		return estimate(who, rkey, at, amount, "USD", 0)
	}
	type shown struct {
		Amount, Counted int64
		Reason          lifecycle.NotCounted
	}
	tests := []struct {
		name  string
		phase lifecycle.Phase
		parts []part
		when  time.Duration
		want  []shown // newest first
	}{
		{"at the opening", open, []part{e(backer, "a", 10*day, 100)}, 12 * day, []shown{{100, 100, ""}}},
		{"after it", open, []part{e(backer, "a", 10*day+ms, 100)}, 12 * day, []shown{{100, 0, after}}},
		{"the older one goes on to count", open, []part{e(backer, "a", 9*day, 100), e(backer, "b", 11*day, 200)}, 12 * day, []shown{{200, 0, after}, {100, 100, ""}}},
		{"the newest of the older ones", open, []part{e(backer, "a", 8*day, 100), e(backer, "b", 9*day, 150), e(backer, "c", 11*day, 200)}, 12 * day, []shown{{200, 0, after}, {150, 150, ""}, {100, 0, old}}},
		{"until the end", verifying, []part{e(backer, "a", 11*day, 100)}, 12 * day, []shown{{100, 0, after}}},
		{"and after it", released, []part{e(backer, "a", 11*day, 100)}, 12 * day, []shown{{100, 0, after}}},
		{"they count again when money goes back", refunding, []part{e(backer, "a", 9*day, 100), e(backer, "b", 11*day, 200)}, 12 * day, []shown{{200, 200, ""}, {100, 0, old}}},
		{"and when it went back", refunded, []part{e(backer, "a", 11*day, 100)}, 12 * day, []shown{{100, 100, ""}}},
		{"an opening before it that ended in refunds", open, []part{e(backer, "a", 9*day, 100), campaignOf(maintainer, "m", 5*day, refunded)}, 12 * day, []shown{{100, 100, ""}}},
		{"the first of two openings", open, []part{e(backer, "a", 9*day, 100), campaignOf(maintainer, "m", 5*day, open)}, 12 * day, []shown{{100, 0, after}}},
		{"an opening that nobody trusts", open, []part{e(backer, "a", 9*day, 100), campaignOf(maintainer, "m", 5*day, open, by(shady))}, 12 * day, []shown{{100, 100, ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := phased(tt.phase, tt.parts...)
			var got []shown
			var sum int64
			for _, c := range lifecycle.CountEstimates(f, t0.Add(tt.when)) {
				got = append(got, shown{c.Value.Amount, c.Counted, c.Reason})
				sum += c.Counted
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var estimated int64
			for _, one := range fundingAt(f, tt.when) {
				estimated += one.Estimated
			}
			if estimated != sum {
				t.Errorf("%d are estimated, the list sums to %d", estimated, sum)
			}
		})
	}
}

func TestR5_DonationsAreNeverHeld(t *testing.T) {
	t.Parallel()
	with := func(parts ...part) lifecycle.Facts {
		return facts(byAccount, append([]part{develop(owner, "d", 0)}, parts...)...)
	}
	gift := func(rkey string, status lifecycle.ReceiptStatus, changes ...func(*lifecycle.Receipt)) part {
		return receipt(backer, rkey, day, workOfOwner, 700, status, append(changes, forDonation)...)
	}
	donated := usd(func(f *lifecycle.Funding) { f.Donated, f.Donors = 700, 1 })
	runFunding(t, []fundingCase{
		{"a record alone is a word", with(donation(backer, "g", day, workOfOwner, 700)), 2 * day, nil},
		{"paid", with(donation(backer, "g", day, workOfOwner, 700), gift("g", "paid")), 2 * day, donated},
		{"paid, and the record is gone", with(gift("g", "paid")), 2 * day, donated},
		{"twice by one account", with(gift("g", "paid"), gift("h", "paid")), 2 * day, usd(func(f *lifecycle.Funding) { f.Donated, f.Donors = 1400, 1 })},
		{"held is no status of a donation", with(gift("g", "held")), 2 * day, nil},
		{"nor is released", with(gift("g", "released")), 2 * day, nil},
		{"and paid none of a pledge", with(receipt(backer, "g", day, workOfOwner, 700, "paid")), 2 * day, nil},
		{"given back", with(gift("g", "refunded")), 2 * day, usd(func(f *lifecycle.Funding) { f.Refunded = 700 })},
		{"by the word of nobody we trust", with(gift("g", "paid", receiptBy(shady))), 2 * day, nil},
		{"in test money", with(gift("g", "paid", func(r *lifecycle.Receipt) { r.Test = true })), 2 * day, nil},
		{"in test money that counts", with(counting, gift("g", "paid", func(r *lifecycle.Receipt) { r.Test = true })), 2 * day, donated},
		{"for a stranger's attempt", with(develop(stranger, "s", 0), receipt(backer, "g", day, attemptURI(stranger, "s"), 700, "paid", forDonation)), 2 * day, nil},
		{"for an attempt of another proposal", with(receipt(backer, "g", day, attemptURI(owner, "x"), 700, "paid", forDonation)), 2 * day, nil},
		{"for a development that is gone, as the receipt says", facts(byAccount, gift("g", "paid", func(r *lifecycle.Receipt) {
			r.Proposal = meta(backer, "feature.proposal", "p", 0).URI
		})), 2 * day, donated},
		{"for another proposal, as the receipt says", with(gift("g", "paid", func(r *lifecycle.Receipt) {
			r.Proposal = meta(backer, "feature.proposal", "q", 0).URI
		})), 2 * day, nil},
	})
}

func TestR9_MoneyCountsWhenTheReceiptSaysHeld(t *testing.T) {
	t.Parallel()
	p := pledge(backer, "p", 11*day, workOfOwner, 900)
	paid := func(changes ...func(*lifecycle.Receipt)) part {
		return receipt(backer, "p", 11*day, workOfOwner, 500, "held", changes...)
	}
	wish := usd(func(f *lifecycle.Funding) { f.Pending = 1 })
	held := usd(func(f *lifecycle.Funding) { f.Pledged, f.Pledgers = 500, 1 })
	to := func(escrow syntax.DID, f lifecycle.Facts) lifecycle.Facts {
		f.Pledges[0].Escrow = escrow
		return f
	}
	runFunding(t, []fundingCase{
		{"a record alone is a wish", phased(open, p), 12 * day, wish},
		{"a wish that is dated ahead", phased(open, p), 10 * day, nil},
		{"with a receipt it is what the receipt says", phased(open, p, paid()), 12 * day, held},
		{"the record is gone", phased(open, paid()), 12 * day, held},
		{"before the receipt exists", phased(open, pledge(backer, "p", 10*day, workOfOwner, 900), paid()), 10 * day, wish},
		{"a record that is dated ahead of its receipt", phased(open, pledge(backer, "p", 20*day, workOfOwner, 900), paid()), 12 * day, held},
		{"what is below zero is no money", phased(open, paid(), receipt(backer, "q", 11*day, workOfOwner, -200, "held")), 12 * day, held},
		{"two of one account", phased(open, paid(), receipt(backer, "q", 11*day, workOfOwner, 500, "held")), 12 * day, usd(func(f *lifecycle.Funding) { f.Pledged, f.Pledgers = 1000, 1 })},
		{"of two accounts", phased(open, paid(), receipt(stranger, "q", 11*day, workOfOwner, 500, "held")), 12 * day, usd(func(f *lifecycle.Funding) { f.Pledged, f.Pledgers = 1000, 2 })},
		{"by the word of an escrow that it does not name", phased(open, p, paid(receiptBy(shady))), 12 * day, wish},
		{"by the word of the escrow that it names, which nobody trusts", to(shady, phased(open, p, paid(receiptBy(shady)))), 12 * day, wish},
		{"with a receipt for somebody else's money", phased(open, p, paid(func(r *lifecycle.Receipt) { r.Payer = stranger })), 12 * day,
			usd(func(f *lifecycle.Funding) { f.Pledged, f.Pledgers, f.Pending = 500, 1, 1 })},
		{"paid for another proposal", phased(open, p, paid(func(r *lifecycle.Receipt) {
			r.Proposal = meta(backer, "feature.proposal", "q", 0).URI
		})), 12 * day, wish},
		{"test money", phased(open, p, paid(func(r *lifecycle.Receipt) { r.Test = true })), 12 * day, wish},
		{"for an attempt that is not this proposal's", phased(open, p, receipt(backer, "p", 11*day, attemptURI(owner, "x"), 500, "held")), 12 * day, wish},
		{"for the attempt of somebody who may not act", phased(open, p, develop(stranger, "s", 0), receipt(backer, "p", 11*day, attemptURI(stranger, "s"), 500, "held")), 12 * day, wish},
		{"for the attempt of a developer who may not act any more", facts(byURL, campaignOf(owner, "d", 10*day, open), paid()), 12 * day, held},
	})
}

// Moving a development to another proposal moves no money that a campaign froze.
func TestR8_MoneyStaysWithTheProposalThatWasFrozen(t *testing.T) {
	t.Parallel()
	p, paid := pledge(backer, "p", 11*day, workOfOwner, 900), receipt(backer, "p", 11*day, workOfOwner, 500, "held")
	wish := usd(func(f *lifecycle.Funding) { f.Pending = 1 })
	held := usd(func(f *lifecycle.Funding) { f.Pledged, f.Pledgers = 500, 1 })
	elsewhere := func(c *lifecycle.Campaign) { c.Proposal.URI = another }
	runFunding(t, []fundingCase{
		{"from which the development moved away", facts(byAccount, campaignOf(owner, "d", 10*day, open), p, paid), 12 * day, held},
		{"to which it moved", facts(byAccount, develop(owner, "d", 0), campaignOf(owner, "d", 10*day, open, elsewhere), p, paid), 12 * day, wish},
		{"to which it moved, which nobody we trust had frozen", facts(byAccount, develop(owner, "d", 0), campaignOf(owner, "d", 10*day, open, elsewhere, by(shady)), p, paid), 12 * day, held},
	})
}

func TestR18_EachStatusHasItsSum(t *testing.T) {
	t.Parallel()
	at := func(status lifecycle.ReceiptStatus) lifecycle.Facts {
		return phased(settling, receipt(backer, "p", 11*day, workOfOwner, 500, status))
	}
	back := usd(func(f *lifecycle.Funding) { f.Refunding = 500 })
	taken := usd(func(f *lifecycle.Funding) { f.ChargedBack = 500 })
	runFunding(t, []fundingCase{
		{"held", at("held"), 60 * day, usd(func(f *lifecycle.Funding) { f.Pledged, f.Pledgers = 500, 1 })},
		{"releasing", at("releasing"), 60 * day, usd(func(f *lifecycle.Funding) { f.Releasing = 500 })},
		{"released", at("released"), 60 * day, usd(func(f *lifecycle.Funding) { f.Released = 500 })},
		{"refunding", at("refunding"), 60 * day, back},
		{"returned by the bank, still owed", at("refund-failed"), 60 * day, back},
		{"refunded", at("refunded"), 60 * day, usd(func(f *lifecycle.Funding) { f.Refunded = 500 })},
		{"charged back", at("charged-back"), 60 * day, taken},
		{"reversed", at("reversed"), 60 * day, taken},
		{"a status that we do not know", at("unheard-of"), 60 * day, nil},
	})
}

func TestR17_AChargebackTouchesNoOtherPledge(t *testing.T) {
	t.Parallel()
	runFunding(t, []fundingCase{
		{"while it is held", phased(open, receipt(backer, "p", 11*day, workOfOwner, 500, "charged-back"), receipt(stranger, "p", 11*day, workOfOwner, 300, "held")), 12 * day,
			usd(func(f *lifecycle.Funding) { f.Pledged, f.Pledgers, f.ChargedBack = 300, 1, 500 })},
		{"after the payout", phased(released, receipt(backer, "p", 11*day, workOfOwner, 500, "charged-back"), receipt(stranger, "p", 11*day, workOfOwner, 300, "released")), 60 * day,
			usd(func(f *lifecycle.Funding) { f.Released, f.ChargedBack = 300, 500 })},
	})
}

func TestR5_TheGoalIsMeasuredByMoneyForTheCurrentAttempt(t *testing.T) {
	t.Parallel()
	with := func(phase lifecycle.Phase, parts ...part) lifecycle.Facts {
		all := append([]part{goal(owner, "d", 0, 1000, "USD")}, parts...)
		if phase != "" {
			all = append(all, campaignOf(owner, "d", 10*day, phase))
		}
		return facts(byAccount, all...)
	}
	gift := receipt(backer, "g", day, workOfOwner, 700, "paid", forDonation)
	held := func(status lifecycle.ReceiptStatus) part {
		return receipt(backer, "p", 11*day, workOfOwner, 500, status)
	}
	want := func(raised int64, change func(*lifecycle.Funding)) []lifecycle.Funding {
		return usd(func(f *lifecycle.Funding) {
			f.Goal, f.Raised = ptr[int64](1000), &raised
			change(f)
		})
	}
	runFunding(t, []fundingCase{
		{"estimates are no money", with("", estimate(backer, "e", 0, 100, "USD", 0)), day, want(0, func(f *lifecycle.Funding) { f.Estimated, f.Estimators = 100, 1 })},
		{"donations", with("", gift), 2 * day, want(700, func(f *lifecycle.Funding) { f.Donated, f.Donors = 700, 1 })},
		{"and held pledges", with(open, gift, held("held")), 12 * day, want(1200, func(f *lifecycle.Funding) { f.Donated, f.Donors, f.Pledged, f.Pledgers = 700, 1, 500, 1 })},
		{"on their way", with(settling, held("releasing")), 12 * day, want(500, func(f *lifecycle.Funding) { f.Releasing = 500 })},
		{"paid out", with(released, held("released")), 12 * day, want(500, func(f *lifecycle.Funding) { f.Released = 500 })},
		{"what is taken back does not help", with(released, held("charged-back")), 12 * day, want(0, func(f *lifecycle.Funding) { f.ChargedBack = 500 })},
		{"there is no goal when it all goes back", with(refunding, held("refunding")), 12 * day, usd(func(f *lifecycle.Funding) { f.Refunding = 500 })},
		{"another attempt's money does not help", with("", receipt(backer, "g", day, attemptURI(owner, "e"), 700, "paid", forDonation), develop(owner, "e", day)), 2 * day,
			want(0, func(f *lifecycle.Funding) { f.Donated, f.Donors = 700, 1 })},
		{"nor does another currency", with("", receipt(backer, "g", day, workOfOwner, 700, "paid", forDonation, func(r *lifecycle.Receipt) { r.Value.Currency = "EUR" })), 2 * day,
			append([]lifecycle.Funding{{Currency: "EUR", Donated: 700, Donors: 1}}, want(0, func(*lifecycle.Funding) {})...)},
	})
}

func TestF3_FundingChangesWhenWhatIsDatedAheadComes(t *testing.T) {
	t.Parallel()
	const early = lifecycle.FutureTolerance
	f := facts(byAccount, develop(owner, "d", 0), estimate(backer, "a", 0, 100, "USD", 0), estimate(backer, "b", 3*day, 200, "USD", 0),
		estimate(stranger, "a", 11*day, 50, "USD", 0), pledge(backer, "p", 11*day, workOfOwner, 900), receipt(backer, "p", 12*day, workOfOwner, 500, "held"),
		campaignOf(owner, "d", 10*day, open, func(c *lifecycle.Campaign) { c.OpensAt = t0.Add(2 * day) }))
	f.Developments = nil // and with it what the clock would bring
	one := func(estimated, pledged, pledgers, pending int64) []lifecycle.Funding {
		return usd(func(f *lifecycle.Funding) {
			f.Estimated, f.Estimators, f.Pledged, f.Pledgers, f.Pending = estimated, 1, pledged, pledgers, pending
		})
	}
	want := []lifecycle.FundingInterval{
		{Until: t0.Add(3*day - early), Funding: one(100, 0, 0, 0)},
		{Until: t0.Add(10*day - early), Funding: one(200, 0, 0, 0)},
		{Until: t0.Add(11*day - early), Funding: one(100, 0, 0, 0)}, // the opening was before the second estimate
		{Until: t0.Add(12*day - early), Funding: one(100, 0, 0, 1)},
		{Until: lifecycle.End, Funding: one(100, 500, 1, 0)},
	}
	got := lifecycle.EvaluateFunding(f, lifecycle.Evaluate(f), t0.Add(day))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestR18_SumsOfMoneyEndSomewhere(t *testing.T) {
	t.Parallel()
	f := facts(byAccount, goal(owner, "d", 0, 1000, "USD"))
	// Together they are two to the power of 64: what fits into that many bits is nothing.
	for rkey, amount := range map[string]int64{"a": math.MaxInt64, "b": math.MaxInt64, "c": 2} {
		receipt(backer, rkey, 0, workOfOwner, amount, "held")(&f)
		receipt(backer, rkey, 0, workOfOwner, amount, "paid", forDonation)(&f)
	}
	receipt(stranger, "n", 0, workOfOwner, math.MinInt64, "held")(&f)
	const most = lifecycle.MaxTotal
	want := usd(func(f *lifecycle.Funding) {
		f.Pledged, f.Pledgers, f.Donated, f.Donors, f.Goal, f.Raised = most, 2, most, 1, ptr[int64](1000), ptr[int64](most)
	})
	if diff := cmp.Diff(want, fundingAt(f, day)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestR9_PledgesAreListedByTheirReceipts(t *testing.T) {
	t.Parallel()
	f := phased(open,
		pledge(backer, "wish", 11*day, workOfOwner, 900),
		pledge(backer, "held", 12*day, workOfOwner, 900), receipt(backer, "held", 12*day, workOfOwner, 500, "held"),
		receipt(stranger, "gone", 13*day, workOfOwner, 300, "refunded"),
		receipt(stranger, "lie", 13*day, workOfOwner, 300, "held", receiptBy(shady)),
		receipt(stranger, "gift", 13*day, workOfOwner, 300, "paid", forDonation),
		pledge(maintainer, "named", 10*day, workOfOwner, 900), receipt(maintainer, "named", 10*day, workOfOwner, 200, "held", receiptBy(shady)),
	)
	f.Pledges[2].Escrow = shady
	type shown struct {
		Subject  syntax.ATURI
		Recorded bool
		Status   lifecycle.ReceiptStatus
		Value    money.Money
	}
	uri := func(who syntax.DID, rkey string) syntax.ATURI { return meta(who, "feature.pledge", rkey, 0).URI }
	usd := func(n int64) money.Money { return money.Money{Amount: n, Currency: "USD"} }
	want := []shown{
		{uri(stranger, "gone"), false, "refunded", usd(300)},
		{uri(backer, "held"), true, "held", usd(500)},
		{uri(backer, "wish"), true, lifecycle.StatusPending, usd(900)},
		{uri(maintainer, "named"), true, lifecycle.StatusPending, usd(900)}, // by the word of nobody who is trusted
	}
	var got []shown
	for _, p := range lifecycle.PledgesAt(f, t0.Add(20*day)) {
		got = append(got, shown{p.Subject, p.Recorded, p.Status, p.Value})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if gifts := lifecycle.DonationsAt(f, t0.Add(20*day)); len(gifts) != 1 || gifts[0].Payer != stranger || gifts[0].Status != lifecycle.ReceiptPaid {
		t.Errorf("donations: %+v", gifts)
	}
}

func TestHot_CountsMoneyBesideEstimates(t *testing.T) {
	t.Parallel()
	estimated := lifecycle.Hot(t0, []lifecycle.Funding{{Currency: "USD", Estimated: 9999}})
	for _, f := range []lifecycle.Funding{{Pledged: 9999}, {Donated: 9999}, {Releasing: 9999}, {Released: 9999}} {
		f.Currency = "USD"
		if got := lifecycle.Hot(t0, []lifecycle.Funding{f}); got != estimated {
			t.Errorf("%+v ranks %d, as an estimate %d", f, got, estimated)
		}
	}
	if got := lifecycle.Hot(t0, []lifecycle.Funding{{Currency: "USD", Refunded: 9999, Refunding: 9999, ChargedBack: 9999}}); got != lifecycle.Hot(t0, nil) {
		t.Errorf("what went back ranks %d", got)
	}
}
